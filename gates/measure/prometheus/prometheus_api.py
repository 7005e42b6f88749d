"""A thin client of Prometheus's query API. It retries, follows no redirect, and says plainly what went wrong."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from gates import __version__
from gates.errors import Exit, GatesError
from gates.system.activity import ran
from gates.system.retries import retried

if TYPE_CHECKING:
    from requests import PreparedRequest, Response, Session

URL, TOKEN = "PROMETHEUS_URL", "PROMETHEUS_TOKEN"
AT_ONCE = 8  # questions that are under way at the same time
_TRIES = 3
_TIMEOUT = 20.0  # seconds for an answer
_TOKEN = re.compile(r"[\x21-\x7e]{1,10000}")
_HINT = f"Set {URL} to the address of the Prometheus, such as https://prometheus.example.com: docs/prometheus.md."
_AGAIN = frozenset({408, 429, 500, 502, 503, 504})
_NOT_ALLOWED = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN})
_INFO = "PromQL info"  # a remark about the expression, not about what is missing


class NotAllowedError(GatesError):
    """The Prometheus wants a credential, or a better one; or nobody said where it is."""


class _TroubleError(Exception):
    """The server did not answer in time, or said that it can't now. Asking again may help."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryResult:
    """What one query gave: of each series (moment in seconds, value as text), and how many warnings came with it."""

    series: tuple[tuple[tuple[float, str], ...], ...]
    warnings: tuple[str, ...]


def address(environ: Mapping[str, str]) -> str:
    """Return where the Prometheus is. Raises ``NotAllowedError`` where nobody says it, ``GatesError`` where it is no
    address."""
    url = environ.get(URL, "").strip().rstrip("/")
    if not url:
        raise NotAllowedError(f"the policy asks a Prometheus, and {URL} is not set", where="promql", hint=_HINT)
    try:
        parts = urlsplit(url)
    except ValueError:
        parts = urlsplit("")
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise GatesError("is not an address such as https://prometheus.example.com", where=URL, hint=_HINT)
    if parts.username is not None or parts.password is not None:
        what = f"has a user in it, which would be printed; write user:password into {TOKEN}"
        raise GatesError(what, where=URL)
    return url


class PrometheusApi:
    """A Prometheus, or what answers as one (Thanos, Mimir, VictoriaMetrics), as one token sees it.

    A token with a colon is ``user:password``; no other token can have one.
    """

    def __init__(self, url: str, token: str, *, timeout: float = _TIMEOUT) -> None:
        if token and not _TOKEN.fullmatch(token):
            raise GatesError("is not a token: it has characters that no header can hold", where=TOKEN)
        self._url = url
        self._timeout = timeout
        self._session = _session(token)

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> PrometheusApi:
        """Return the one that the environment names. Raises ``GatesError`` where it names none."""
        return cls(address(environ), environ.get(TOKEN, "").strip())

    def at(self, query: str, moment: int) -> QueryResult:
        """Ask at one moment, in seconds since 1970."""
        return self._asked("query", {"query": query, "time": str(moment)})

    def over(self, query: str, first: int, last: int, step: int) -> QueryResult:
        """Ask at every step from the first to the last moment."""
        wanted = {"query": query, "start": str(first), "end": str(last), "step": str(step)}
        return self._asked("query_range", wanted)

    def _asked(self, path: str, wanted: dict[str, str]) -> QueryResult:
        form = wanted | {"timeout": f"{self._timeout:g}s"}
        try:
            response = retried(lambda: self._sent(path, form), _TroubleError, tries=_TRIES)
        except _TroubleError as error:
            what = f"did not answer {wanted['query']}: {error}"
            raise GatesError(what, where="Prometheus", hint="Try again later.", exit_code=Exit.OUTSIDE) from error
        return _read(response, wanted["query"])

    def _sent(self, path: str, form: Mapping[str, str]) -> Response:
        from requests import RequestException

        try:
            # a redirect would carry the token along, or lead to a page that asks people to log in
            with ran("Prometheus", path):
                response = self._session.post(
                    f"{self._url}/api/v1/{path}", data=form, timeout=self._timeout, allow_redirects=False
                )
        except RequestException as error:
            raise _TroubleError(_cause(error)) from None
        if response.status_code in _AGAIN:
            raise _TroubleError(f"HTTP {response.status_code} {_message(response)}".rstrip())
        return response


def _session(token: str) -> Session:
    from requests import Session
    from requests.adapters import HTTPAdapter
    from requests.auth import HTTPBasicAuth

    session = Session()
    for scheme in ("http://", "https://"):
        session.mount(scheme, HTTPAdapter(pool_maxsize=AT_ONCE, max_retries=0))
    session.headers.update({"User-Agent": f"gates/{__version__}", "Accept": "application/json"})
    user, colon, password = token.partition(":")
    basic = HTTPBasicAuth(user, password)

    def bearer(request: PreparedRequest) -> PreparedRequest:
        if token:
            request.headers["Authorization"] = f"Bearer {token}"
        return request

    session.auth = basic if colon else bearer  # never what a .netrc says
    return session


def _cause(error: Exception) -> str:
    """Say what went wrong on the way, without the address, which a library's own text may quote with all it holds."""
    from requests import ConnectionError as NotReached
    from requests import Timeout
    from requests.exceptions import SSLError

    if isinstance(error, Timeout):
        return "no answer in time"
    if isinstance(error, SSLError):
        return "its certificate is not trusted here"
    return "the connection was refused or broke off" if isinstance(error, NotReached) else type(error).__name__


def _message(response: Response) -> str:
    """Return what Prometheus says about an error; nothing of an answer in another form."""
    try:
        body = response.json()
    except ValueError:
        return ""
    return " ".join(str(body.get("error") or "").split())[:500] if isinstance(body, dict) else ""


def _read(response: Response, query: str) -> QueryResult:
    status = response.status_code
    if status in _NOT_ALLOWED:
        hint = f"Give {TOKEN} a token that may read it."
        raise NotAllowedError(f"refuses the query (HTTP {status})", where="Prometheus", hint=hint)
    if status in range(300, 400):
        what = f"the address leads elsewhere (HTTP {status}), where no token is sent to"
        raise GatesError(what, where=URL, hint="Write the address that answers itself.")
    if status != HTTPStatus.OK:
        told = _message(response)
        if not told:
            raise GatesError(f"nothing there answers as a Prometheus does (HTTP {status})", where=URL, hint=_HINT)
        raise GatesError(f"can't answer {query}: {told}", where="Prometheus", hint="Fix the policy's promql.")
    try:
        body = response.json()
        data = body["data"]
        warnings = tuple(str(one) for one in body.get("warnings") or () if not str(one).startswith(_INFO))
        return QueryResult(series=tuple(_series(data["resultType"], data["result"])), warnings=warnings)
    except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        what = f"gave no numbers for {query}, or does not answer as a Prometheus does"
        raise GatesError(what, where="Prometheus", hint=_HINT) from error


def _series(form: str, result: Any) -> Iterator[tuple[tuple[float, str], ...]]:
    """Yield the samples of each series. Their labels stay here."""
    if form == "scalar":
        yield (_sample(result),)
    elif form == "vector":
        yield from ((_sample(one["value"]),) for one in result)
    elif form == "matrix":
        yield from (tuple(map(_sample, one["values"])) for one in result)
    else:
        raise ValueError(form)


def _sample(pair: Any) -> tuple[float, str]:
    at, value = pair
    float(value)
    return float(at), str(value)
