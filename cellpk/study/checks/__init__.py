"""What is doubtful in a study: one small function per rule, one file per subject.

A rule looks at the finished tables only, so that it finds the same in a study that was
written and read again; the one that asks for the order of the delivered rows says so.
A rule that is registered with ``@check`` in a file of this folder is found by itself.
"""

from cellpk.study.checks.draft import Draft
from cellpk.study.checks.registry import RULES, Rule, check, doubts, rules

__all__ = ["RULES", "Draft", "Rule", "check", "doubts", "rules"]
