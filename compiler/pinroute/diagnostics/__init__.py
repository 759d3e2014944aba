"""Findings as data: what is wrong, where, and what to do about it."""

from pinroute.diagnostics.catalogue import diagnose, rule
from pinroute.diagnostics.model import Diagnostic, Path, Related, Rule, Severity, Span

__all__ = ["Diagnostic", "Path", "Related", "Rule", "Severity", "Span", "diagnose", "rule"]
