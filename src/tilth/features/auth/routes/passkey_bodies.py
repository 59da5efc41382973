"""What the routes of passkeys take and answer: WebAuthn's own JSON within Tilth's."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from tilth.features.auth.routes.bodies import Given, Secret

# Base64url without padding. An attestation that nobody asked for may bring certificates along.
Text = Annotated[str, Field(max_length=4096)]
LongText = Annotated[str, Field(max_length=65_536)]
PasskeyName = Annotated[str, Field(min_length=1, max_length=120)]


class Credential(BaseModel):
    """What browsers add of their own accord is left aside."""

    model_config = ConfigDict(extra="ignore")

    id: Text
    rawId: Text
    type: Literal["public-key"]


class AttestationShown(BaseModel):
    model_config = ConfigDict(extra="ignore")

    clientDataJSON: Text
    attestationObject: LongText
    transports: list[Annotated[str, Field(max_length=40)]] = Field(default=[], max_length=20)


class AssertionShown(BaseModel):
    model_config = ConfigDict(extra="ignore")

    clientDataJSON: Text
    authenticatorData: LongText
    signature: Text
    userHandle: Text | None = None


class NewCredential(Credential):
    """`PublicKeyCredential.toJSON()` of navigator.credentials.create()."""

    response: AttestationShown


class UsedCredential(Credential):
    """`PublicKeyCredential.toJSON()` of navigator.credentials.get()."""

    response: AssertionShown


class PasskeyMade(Given):
    """flow: from the answer that asked for it."""

    flow: Secret
    credential: NewCredential
    name: PasskeyName = "Passkey"


class PasskeyUsed(Given):
    """flow: from the answer that asked for it."""

    flow: Secret
    credential: UsedCredential


class TokenPasskey(PasskeyUsed):
    scopes: list[str] | None = Field(default=None, max_length=100)


class Waiting(Given):
    """flow: from the answer that asked for a second factor."""

    flow: Secret


class PasskeyNamed(Given):
    name: PasskeyName


class PasskeyAsked(BaseModel):
    """publicKey: for navigator.credentials. flow: stays with the client that asked."""

    flow: str
    publicKey: dict[str, Any]


class PasskeyShown(BaseModel):
    id: UUID
    name: str
    is_backed_up: bool
    opens_alone: bool
    created_at: datetime
    last_used_at: datetime | None


class PasskeysShown(BaseModel):
    items: list[PasskeyShown]


class PasskeyAdded(BaseModel):
    """recovery_codes: shown this once; none where a second factor was set up before."""

    id: UUID
    recovery_codes: list[str]
    access_token: str | None = None
    refresh_token: str | None = None
