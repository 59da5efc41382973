"""The tables as Django's models; the bench made them."""

from django.db import models


class Team(models.Model):
    name = models.CharField(max_length=80)
    city = models.CharField(max_length=80)

    class Meta:
        db_table = "team"
        managed = False


class Hero(models.Model):
    name = models.CharField(max_length=80)
    city = models.CharField(max_length=80)
    age = models.IntegerField(null=True, blank=True)
    score = models.IntegerField()
    rating = models.FloatField()
    is_active = models.BooleanField(default=True)
    joined = models.DateField()
    owner_id = models.CharField(max_length=40, null=True)
    team = models.ForeignKey(Team, models.CASCADE, related_name="heroes")

    class Meta:
        db_table = "hero"
        managed = False
