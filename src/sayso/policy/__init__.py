"""What a platform's policy says, and the reference decision by it."""

from sayso.policy.loading import Report, examine, examine_file, load, loads, schema
from sayso.policy.normal import digest_of, from_normal, normal

__all__ = ["Report", "digest_of", "examine", "examine_file", "from_normal", "load", "loads", "normal", "schema"]
