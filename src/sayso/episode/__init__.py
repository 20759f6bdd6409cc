"""Episodes: what happened to a platform, and what was permitted when, told in a file and answered twice."""
