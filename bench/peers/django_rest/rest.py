"""How the REST framework peer tells who asks."""

from types import SimpleNamespace

from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed


class BenchAuthentication(BaseAuthentication):
    def authenticate(self, request):
        header = request.headers.get("authorization")
        if header is None:
            return None
        if header != "Bearer bench-token":
            raise AuthenticationFailed
        return SimpleNamespace(username="user-1", is_authenticated=True), None

    def authenticate_header(self, request):
        return "Bearer"
