"""A request that a route takes and none before it: the proof that the route lives.

Tried are a few requests that satisfy the route, varied where earlier routes look. A route
without a witness that is not dead either is undecided: nothing is claimed of it.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice, product

from pinroute.istio.evaluate import Call, takes
from pinroute.istio.read import MatchItem
from pinroute.istio.resource import Fields, as_mapping, covers
from pinroute.istio.specimen import specimen

MOST_TRIALS = 4096
_NO_HEADERS = (":", "@")  # parts of the request line, and claims
_OTHER = "~"  # begins no hash, and no path that people write


def witness(items: Sequence[MatchItem], index: int, base: Call, domain: str = "*") -> Call | None:
    """Return a request that item `index` takes first, None if none of those tried is one.

    `base` says where: host, gateway, port, pods. `domain` is that of the virtual host:
    requests for other hosts do not come to it.
    """
    item, earlier = items[index], items[:index]
    for call in islice(_calls(item, earlier, base), MOST_TRIALS):
        if not covers(domain, call.host) or not takes(item, call):
            continue
        if not any(takes(before, call) for before in earlier):
            return call
    return None


def _calls(item: MatchItem, earlier: Sequence[MatchItem], base: Call) -> Iterator[Call]:
    match = item.residual
    demanded = {
        name.lower(): value
        for name, value in as_mapping(match.get("headers")).items()
        if not name.startswith(_NO_HEADERS)
    }
    if item.value is not None and not item.header.startswith(_NO_HEADERS):
        demanded[item.header] = item.value
    names = [*demanded, *(name for name in _looked_at(earlier, item) if name not in demanded)]
    lines = [
        _values(demanded.get(name), (_own(before, name) for before in earlier), missing=True)
        for name in names
    ]
    paths = [
        path
        for path in _values(match.get("uri"), (before.residual.get("uri") for before in earlier))
        if path is not None and path.startswith("/")
    ]
    methods = _texts(match.get("method"), ("GET", "POST", "PURGE"))
    schemes = _texts(match.get("scheme"), (base.scheme,))
    hosts = _texts(match.get("authority"), (base.host,))
    place = base._replace(
        namespace=str(match.get("sourceNamespace") or base.namespace),
        labels={**base.labels, **as_mapping(match.get("sourceLabels"))},
        port=int(match.get("port") or base.port),
    )
    query = _query(as_mapping(match.get("queryParams")))
    requests = list(product(paths or ["/"], methods, schemes, hosts))
    for values in product(*lines):
        headers = {
            name: (value,) for name, value in zip(names, values, strict=True) if value is not None
        }
        for path, method, scheme, host in requests:
            yield place._replace(
                host=host, path=f"{path}{query}", method=method, scheme=scheme, headers=headers
            )


def _looked_at(earlier: Iterable[MatchItem], item: MatchItem) -> list[str]:
    """Return the headers by which earlier items, or exclusions, can be evaded."""
    found: dict[str, None] = {}
    for one in (*earlier, item):
        for field in ("headers", "withoutHeaders"):
            for name in as_mapping(one.residual.get(field)):
                if not name.startswith(_NO_HEADERS):
                    found[name.lower()] = None
        if one.value is not None and not one.header.startswith(_NO_HEADERS):
            found[one.header] = None
    return list(found)


def _own(item: MatchItem, name: str) -> Fields | None:
    """Return what an item says of a header, demanding it or excluding it."""
    if item.value is not None and item.header == name:
        return item.value
    for field in ("headers", "withoutHeaders"):
        for key, value in as_mapping(item.residual.get(field)).items():
            if key.lower() == name:
                return as_mapping(value)
    return None


def _values(match: object, others: Iterable[object], *, missing: bool = False) -> list[str | None]:
    """Return values that satisfy a StringMatch, and others that it does not look at."""
    given = as_mapping(match)
    exact, regex = given.get("exact"), given.get("regex")
    if isinstance(exact, str):
        return [exact]
    if isinstance(regex, str):
        text = specimen(regex)
        return [text, f"{text}0", f"{text}{_OTHER}"] if text is not None else []
    head = str(given.get("prefix", "" if missing else "/"))
    named = [
        text
        for other in others
        for text in as_mapping(other).values()
        if isinstance(text, str) and text.startswith(head)
    ]
    found: dict[str | None, None] = {None: None} if missing and match is None else {}
    for tail in ("", "0" * 8, "1" * 8, "0", "1", _OTHER):
        found[head + tail] = None
    for text in named[:64]:
        found[f"{text}{_OTHER}"] = None
        found[text] = None
        found[text[:-1]] = None
    return list(found)


def _texts(match: object, usual: Sequence[str]) -> list[str]:
    given: Mapping[str, object] = as_mapping(match)
    if not given:
        return list(usual)
    regex = given.get("regex")
    if isinstance(regex, str):
        text = specimen(regex)
        return [text] if text is not None else []
    if "exact" in given:
        return [str(given["exact"])]
    head = str(given.get("prefix", ""))
    return [one for one in usual if one.startswith(head)] + [head, f"{head}X"]


def _query(parameters: Fields) -> str:
    pairs = []
    for name, match in parameters.items():
        given = as_mapping(match)
        regex = given.get("regex")
        text = (specimen(regex) or "") if isinstance(regex, str) else ""
        pairs.append(f"{name}={given.get('exact', given.get('prefix', text))}")
    return f"?{'&'.join(pairs)}" if pairs else ""
