"""Tilth, with everything it does by default."""

from models import Hero, Team

from tilth import Actor, Policy, Tilth, me, public, signed_in
from tilth.testing import bearer_reader

app = Tilth(readers=[bearer_reader({"bench-token": Actor("user-1", method="bearer")})])

# One process answers both kinds of scenario: who sends no token sees every row, who sends one
# sees and changes their own.
mine = ~signed_in | (Hero.owner_id == me.id)
app.expose(Team, Policy(read=public))
app.expose(Hero, Policy(read=mine, create=mine, update=mine, preset={"owner_id": me.id}))
