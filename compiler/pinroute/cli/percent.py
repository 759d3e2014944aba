"""A percentage on the command line, kept as an exact fraction."""

from fractions import Fraction

import click


class _Percent(click.ParamType[Fraction]):
    """A percentage such as 5 or 5%, kept as an exact fraction of one."""

    name = "percent"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> Fraction:
        try:
            share = Fraction(str(value).removesuffix("%")) / 100
        except (ValueError, ZeroDivisionError):
            self.fail(f"{value!r} is no percentage such as 5%", param, ctx)
        if not 0 <= share <= 1:
            self.fail(f"{value!r} is not between 0% and 100%", param, ctx)
        return share


PERCENT = _Percent()
