"""What the routes of accounts take and answer, as OpenAPI describes it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    ValidationError,
    model_validator,
)
from pydantic_core import InitErrorDetails, PydanticCustomError

NAME = Field(max_length=320)
PASSWORD = Field(json_schema_extra={"format": "password", "writeOnly": True})
SECRET = Field(max_length=4096, json_schema_extra={"writeOnly": True})

Name = Annotated[str, NAME]
Password = Annotated[str, PASSWORD]
Secret = Annotated[str, SECRET]


class Given(BaseModel):
    """Nothing that is not named may be sent: what is not asked for is not set."""

    model_config = ConfigDict(extra="forbid")


NAMES = ("identifier", "username", "email", "phone")
ONE_NAME = PydanticCustomError("value_error", "Give one of identifier, username, email and phone.")


def _both(title: str, found: ValidationError, more: list[InitErrorDetails]) -> ValidationError:
    told = [
        InitErrorDetails(
            type=PydanticCustomError(each["type"], "{said}", {"said": each["msg"]}),
            loc=each["loc"],
            input=each["input"],
        )
        for each in found.errors(include_url=False)
    ]
    return ValidationError.from_exception_data(title, [*more, *told])


class SignUp(Given):
    username: Name | None = None
    email: Name | None = None
    phone: Name | None = None
    password: Password


class Credentials(Given):
    """One name: `identifier` may be any of the three."""

    identifier: Name | None = None
    username: Name | None = None
    email: Name | None = None
    phone: Name | None = None
    password: Password

    @model_validator(mode="wrap")
    @classmethod
    def _one_name(cls, given: Any, read: ModelWrapValidatorHandler[Self]) -> Self:
        """Beside what else is wrong: whoever sends nothing learns of everything that is missing."""
        names = [given[each] for each in NAMES if each in given] if isinstance(given, dict) else []
        faults: list[InitErrorDetails] = []
        if isinstance(given, dict) and sum(each is not None for each in names) != 1:
            faults.append(InitErrorDetails(type=ONE_NAME, loc=(), input=given))
        try:
            found = read(given)
        except ValidationError as exc:
            raise _both(cls.__name__, exc, faults) from exc
        if faults:
            raise ValidationError.from_exception_data(cls.__name__, faults)
        return found

    @property
    def name(self) -> str:
        return self._names()[0]

    def _names(self) -> list[str]:
        given = (self.identifier, self.username, self.email, self.phone)
        return [each for each in given if each is not None]


class TokenRequest(Credentials):
    """scopes: what the tokens may be used for; all that the account may without."""

    scopes: list[str] | None = Field(default=None, max_length=100)


class Code(Given):
    """flow: from the answer that asked for a code."""

    flow: Secret
    code: Secret


class SessionCode(Code):
    """trust_device: do not ask for a second factor in this client again for a while."""

    trust_device: bool = False


class Flow(Given):
    """flow: from the answer that asked for a second factor."""

    flow: Secret


class TokenCode(Code):
    scopes: list[str] | None = Field(default=None, max_length=100)


class Refresh(Given):
    refresh_token: Secret
    scopes: list[str] | None = Field(default=None, max_length=100)


class Link(Given):
    """token: from the link in a mail."""

    token: Secret


class Begin(Link):
    """flow: from the answer to sign-up. Without it, another password has to be chosen."""

    flow: Secret | None = None
    password: Password | None = None


class Accepted(Link):
    username: Name
    password: Password


class Forgotten(Given):
    identifier: Name


class Reset(Given):
    token: Secret
    password: Password


class PasswordChange(Given):
    """current_password: wherever the account has one, as in the two below."""

    current_password: Password | None = None
    new_password: Password


class EmailChange(Given):
    email: Name
    current_password: Password | None = None


class Confirmation(Given):
    current_password: Password | None = None


class StepUp(Given):
    """One of the two: a code of a second factor proves more than the password."""

    password: Password | None = None
    code: Secret | None = None

    @model_validator(mode="after")
    def _one_proof(self) -> StepUp:
        if (self.password is None) == (self.code is None):
            raise ValueError("Give password or code.")
        return self


class FactorName(Given):
    name: str = Field(default="Authenticator app", min_length=1, max_length=120)


class FactorCode(Given):
    id: UUID
    code: Secret


class KeyRequest(Given):
    name: str = Field(min_length=1, max_length=120)
    scopes: list[str] | None = Field(default=None, max_length=100)
    addresses: list[str] | None = Field(default=None, max_length=100)
    expires_at: datetime | None = None


class Rotation(Given):
    overlap_seconds: int = Field(default=24 * 3600, ge=0, le=7 * 24 * 3600)


class Impersonation(Given):
    user_id: UUID
    reason: str = Field(min_length=3, max_length=500)
    minutes: int = Field(default=30, ge=1, le=60)


class AccountShown(BaseModel):
    id: UUID
    username: str | None
    email: str | None
    email_verified: bool
    phone: str | None
    created_at: datetime


class Me(AccountShown):
    """has_password: else the account is managed by a fresh proof (`step-up`, or signing in again).
    impersonator: id of who acts as this account. csrf_token: for clients that send neither Origin nor
    Sec-Fetch-Site, as X-CSRF-Token.
    """

    roles: list[str]
    permissions: list[str]
    has_password: bool
    has_second_factor: bool
    assurance: int
    method: str
    authenticated_at: datetime | None
    impersonator: UUID | None
    csrf_token: str | None


class Signed(BaseModel):
    status: Literal["signed_in"] = "signed_in"
    account: AccountShown
    expires_at: datetime


class Waits(BaseModel):
    """status "second_factor": send flow and a code to the route's `second-factor`."""

    status: Literal["second_factor"] = "second_factor"
    flow: str
    factors: list[str]


class Sent(BaseModel):
    """A mail was sent, if there is whom to send it to."""

    status: Literal["sent"] = "sent"


class FlowSent(Sent):
    """flow: stays with the client that asked."""

    flow: str


class TokenAnswer(BaseModel):
    access_token: str
    token_type: Literal["Bearer"] = "Bearer"
    expires_in: int
    refresh_token: str
    scope: str | None = None


class SessionShown(BaseModel):
    id: UUID
    is_current: bool
    created_at: datetime
    seen_at: datetime
    expires_at: datetime
    address: str | None
    agent: str | None
    assurance: int
    methods: list[str]
    impersonator: UUID | None


class SessionsShown(BaseModel):
    items: list[SessionShown]


class Preferred(Given):
    """text_size: normal, large or larger. language: a tag such as `de`; null for the usual one."""

    text_size: str = "normal"
    language: str | None = Field(default=None, max_length=35)


class DeviceShown(BaseModel):
    id: UUID
    created_at: datetime
    expires_at: datetime
    address: str | None
    agent: str | None


class DevicesShown(BaseModel):
    items: list[DeviceShown]


class KeyShown(BaseModel):
    id: UUID
    name: str
    lookup: str
    scopes: list[str] | None
    addresses: list[str] | None
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None


class KeysShown(BaseModel):
    items: list[KeyShown]


class KeyMade(BaseModel):
    """key: shown this once."""

    id: UUID
    key: str


class FactorShown(BaseModel):
    id: UUID
    kind: str
    name: str
    created_at: datetime
    last_used_at: datetime | None


class FactorsShown(BaseModel):
    items: list[FactorShown]


class FactorOffered(BaseModel):
    """secret, uri: for the authenticator app, shown this once. Confirm it with a code."""

    id: UUID
    secret: str
    uri: str


class FactorSent(BaseModel):
    """A code was sent. Confirm the factor with it."""

    id: UUID


class Codes(BaseModel):
    """recovery_codes: shown this once."""

    recovery_codes: list[str]


class Happened(BaseModel):
    at: datetime
    type: str
    address: str | None
    agent: str | None
    impersonator: UUID | None


class History(BaseModel):
    items: list[Happened]


class Exported(BaseModel):
    model_config = ConfigDict(extra="allow")

    account: dict[str, Any]
