"""Somebody who is signed in proves it again, or by more: their session becomes another."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from tilth.errors import Unauthenticated
from tilth.features.auth.models.audit import Origin, record
from tilth.features.auth.models.sessions import Proof, end_session
from tilth.features.auth.models.users import Account, account_by_id
from tilth.features.auth.service.accounts import Accounts
from tilth.features.auth.service.factors_asked import prove_factor
from tilth.features.auth.service.guard import (
    Admission,
    account_key,
    admit,
    admit_failure,
    forgive_failure,
)
from tilth.features.auth.service.mail_codes import session_purpose
from tilth.features.auth.service.passwords_asked import PASSWORD, Proved, settle
from tilth.features.auth.service.session_credentials import refreshed
from tilth.features.auth.service.sign_in import Establish, Result


async def by_password(
    accounts: Accounts,
    proved: Proved,
    proof: Proof,
    old: UUID,
    origin: Origin,
    establish: Establish[Result],
) -> Result:
    """proof: what the session rests on so far."""

    def stepped(session: Session, now: datetime) -> Result:
        settle(session, proved)
        end_session(session, old, proved.account.id)
        record(session, "step_up", now, origin, user_id=proved.account.id)
        stronger = refreshed(proof, assurance=1, methods=[PASSWORD], at=now)
        return establish(session, stronger, proved.account, now)

    return await accounts.changed(stepped)


async def by_factor(
    accounts: Accounts,
    account: Account,
    code: str,
    proof: Proof,
    old: UUID,
    origin: Origin,
    establish: Establish[Result],
) -> Result:
    """Raises Unauthenticated for a wrong code, and TooManyRequests."""

    def stepped(session: Session, now: datetime) -> Result | Admission:
        admission = admit(session, accounts.options.limits, origin, now)
        key = account_key("factor", str(account.id))
        admission = admit_failure(session, admission, key, now)
        if admission.wait_seconds or account_by_id(session, account.id, lock=True) is None:
            return admission
        factor = prove_factor(
            accounts, session, account.id, code, now, mailed_for=session_purpose(old)
        )
        if factor is None:
            record(session, "factor.failed", now, origin, user_id=account.id)
            return admission
        forgive_failure(session, admission)
        end_session(session, old, account.id)
        record(session, "step_up", now, origin, user_id=account.id)
        stronger = refreshed(proof, assurance=2, methods=[factor.method], at=now)
        return establish(session, stronger, account, now)

    found = await accounts.changed(stepped)
    if isinstance(found, Admission):
        found.check()
        detail = "The code is wrong, or was used before."
        raise Unauthenticated(detail, code="invalid_code", headers=found.headers)
    return found
