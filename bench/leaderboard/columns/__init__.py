"""The columns of a leaderboard, and what each format makes of them."""
