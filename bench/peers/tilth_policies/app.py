"""The league with as many rules as BENCH_RULES says, each for a role of its own; the caller has one of them."""

import os

from models import Hero, Team

from tilth import Actor, Policy, Tilth, me, public, role
from tilth.testing import bearer_reader

caller = Actor("user-1", method="bearer", roles=frozenset({"scout-0"}))
app = Tilth(readers=[bearer_reader({"bench-token": caller})])

seen = Hero.owner_id == me.id
for number in range(int(os.environ["BENCH_RULES"])):
    seen = seen | (role(f"scout-{number}") & (Hero.team_id == number))

app.expose(Team, Policy(read=public))
app.expose(Hero, Policy(read=seen, update=seen, preset={"owner_id": me.id}))
