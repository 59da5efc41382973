"""Django REST framework: model serializers, generic views, pagination and filter classes of its own."""

import hashlib
import json

from django.core.wsgi import get_wsgi_application
from django.db import transaction
from django.db.models import Prefetch
from django.urls import path
from django_filters import rest_framework as filters

app = get_wsgi_application()

from league.models import Hero, Team  # noqa: E402
from rest_framework import generics, serializers, status  # noqa: E402
from rest_framework.exceptions import APIException  # noqa: E402
from rest_framework.pagination import CursorPagination, LimitOffsetPagination  # noqa: E402
from rest_framework.response import Response  # noqa: E402

FIELDS = [
    "id",
    "name",
    "city",
    "age",
    "score",
    "rating",
    "is_active",
    "joined",
    "owner_id",
    "team_id",
]


class Changed(APIException):
    status_code = 412


class HeroSerializer(serializers.ModelSerializer):
    owner_id = serializers.CharField(read_only=True)
    team_id = serializers.PrimaryKeyRelatedField(queryset=Team.objects.all(), source="team")

    class Meta:
        model = Hero
        fields = FIELDS


class HeroOut(serializers.ModelSerializer):
    owner_id = serializers.CharField()
    team_id = serializers.IntegerField()

    class Meta:
        model = Hero
        fields = FIELDS


class TeamOut(serializers.ModelSerializer):
    class Meta:
        model = Team
        fields = ["id", "name", "city"]


class HeroWithTeam(HeroOut):
    team = TeamOut()

    class Meta:
        model = Hero
        fields = [*FIELDS, "team"]


class TeamWithHeroes(TeamOut):
    heroes = HeroOut(many=True)

    class Meta:
        model = Team
        fields = ["id", "name", "city", "heroes"]


class ByKey(CursorPagination):
    page_size = 50
    page_size_query_param = "limit"
    ordering = ("id",)


class ByScore(ByKey):
    ordering = ("-score", "-id")


class Counted(LimitOffsetPagination):
    default_limit = 50


class HeroFilter(filters.FilterSet):
    min_age = filters.NumberFilter(field_name="age", lookup_expr="gte")

    class Meta:
        model = Hero
        fields = ["min_age"]


class Visible:
    serializer_class = HeroOut

    def get_queryset(self):
        owner = owner_of(self.request)
        found = Hero.objects.all()
        return found if owner is None else found.filter(owner_id=owner)


def owner_of(request):
    return request.user.username if request.user else None


class Heroes(Visible, generics.ListCreateAPIView):
    pagination_class = ByKey

    def create(self, request, *args, **kwargs):
        serializer = HeroSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        hero = serializer.save(owner_id=owner_of(request))
        return Response(HeroOut(hero).data, status=status.HTTP_201_CREATED)


class Batch(generics.CreateAPIView):
    def create(self, request, *args, **kwargs):
        serializer = HeroSerializer(data=request.data, many=True)
        serializer.is_valid(raise_exception=True)
        with transaction.atomic():
            heroes = serializer.save(owner_id=owner_of(request))
        return Response({"items": HeroOut(heroes, many=True).data}, status=status.HTTP_201_CREATED)


class HeroesWithTeam(Visible, generics.ListAPIView):
    pagination_class = ByKey
    serializer_class = HeroWithTeam

    def get_queryset(self):
        return super().get_queryset().select_related("team")


class TeamsWithHeroes(generics.ListAPIView):
    pagination_class = ByKey
    serializer_class = TeamWithHeroes

    def get_queryset(self):
        owner = owner_of(self.request)
        heroes = Hero.objects.order_by("id")
        heroes = heroes if owner is None else heroes.filter(owner_id=owner)
        return Team.objects.prefetch_related(Prefetch("heroes", heroes))


class HeroesByScore(Visible, generics.ListAPIView):
    pagination_class = ByScore
    filter_backends = (filters.DjangoFilterBackend,)
    filterset_class = HeroFilter


class HeroesCounted(Visible, generics.ListAPIView):
    pagination_class = Counted

    def get_queryset(self):
        return super().get_queryset().order_by("id")


class OneHero(Visible, generics.RetrieveUpdateAPIView):
    def retrieve(self, request, *args, **kwargs):
        return tagged(HeroOut(self.get_object()).data)

    @transaction.atomic
    def partial_update(self, request, *args, **kwargs):
        hero = self.get_object()
        sent = request.headers.get("if-match")
        if sent is not None and sent != etag(HeroOut(hero).data):
            raise Changed
        serializer = HeroSerializer(hero, data=request.data, partial=True)
        serializer.is_valid(raise_exception=True)
        return tagged(HeroOut(serializer.save()).data)


def tagged(shown):
    return Response(shown, headers={"etag": etag(shown)})


def etag(shown) -> str:
    return f'"{hashlib.blake2b(json.dumps(shown).encode(), digest_size=12).hexdigest()}"'


urlpatterns = [
    path("api/heroes", Heroes.as_view()),
    path("api/heroes/batch", Batch.as_view()),
    path("api/heroes/<int:pk>", OneHero.as_view()),
    path("api/heroes-with-team", HeroesWithTeam.as_view()),
    path("api/teams-with-heroes", TeamsWithHeroes.as_view()),
    path("api/heroes-by-score", HeroesByScore.as_view()),
    path("api/heroes-counted", HeroesCounted.as_view()),
]
