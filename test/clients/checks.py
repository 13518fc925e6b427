"""Checks, in the order in which they are written; each prints one line: `ok what` or `FAILED what: why`."""

import inspect
import sys
import traceback

_checks = []


def check(function):
    """What it checks is its name."""
    _checks.append((function.__name__.replace("_", " "), function))
    return function


def check_each(**cases):
    """One check for each case, which the function is given."""

    def add(function):
        for name, case in cases.items():
            what = f"{function.__name__.replace('_', ' ')}: {name.replace('_', ' ')}"
            _checks.append((what, lambda case=case: function(case)))
        return function

    return add


def equal(actual, expected):
    assert actual == expected, f"expected {expected!r}, got {actual!r}"


def says(text, *words):
    """Whether a message names every one of these words."""
    missing = [word for word in words if word not in text]
    assert not missing, f"{text!r} does not say {missing}"


def run(enter=lambda wait: wait):
    """Runs them all. @param enter runs what an async check returned"""
    failed = 0
    for what, function in _checks:
        try:
            result = function()
            if inspect.isawaitable(result):
                enter(result)
            print(f"ok {what}", flush=True)
        except Exception as error:  # whatever a client throws is a failed check
            failed += 1
            why = f"{type(error).__name__}: {error}".replace("\n", " ")
            print(f"FAILED {what}: {why}", flush=True)
            traceback.print_exc()
    sys.exit(1 if failed else 0)
