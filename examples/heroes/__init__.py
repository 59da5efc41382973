"""A league of invented heroes: teams, powers and missions, served by Tilth."""
