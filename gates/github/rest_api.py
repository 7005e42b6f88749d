"""A thin client of GitHub's REST API. It retries, reads every page, and says plainly what went wrong."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from gates import __version__
from gates.errors import Exit, GatesError
from gates.system.activity import ran

if TYPE_CHECKING:
    from requests import PreparedRequest, Response, Session
    from requests.adapters import HTTPAdapter

API_VERSION = "2022-11-28"
LONGEST_WAIT = 120  # seconds; a longer wait is an error

_TOKEN = re.compile(r"[\x21-\x7e]{1,10000}")
_SET = "In a workflow pass `token: ${{ github.token }}`."
_TROUBLE = frozenset({500, 502, 503, 504})
_TOO_MANY = 429
_FORBIDDEN = 403
_HIDDEN = 404
_DONE = range(200, 300)
_GONE = frozenset({404, 410})


class UnansweredError(GatesError):
    """Something was asked for and no answer came: it may have been done or not. Look before asking again."""


class NotPermittedError(GatesError):
    """The token may not do this, or may not even see it."""


class Client:
    """GitHub as one token sees it.

    What may be asked twice without harm is asked again after trouble. A POST is asked again only when it
    was refused for its rate; otherwise ``UnansweredError`` leaves it to the caller to look.
    ``doing`` says in errors what was tried, ``needs`` names the permission that it takes.
    """

    def __init__(self, api_url: str, token: str, *, timeout: float = 30, retries: int = 4, backoff: float = 1) -> None:
        self._api_url = api_url.rstrip("/")
        self._timeout = timeout
        self._session = _session(token, _adapter(retries, backoff))

    def get(self, path: str, *, doing: str, needs: str) -> dict[str, Any]:
        """Return one object."""
        return _object(self._ask("GET", self._api_url + path, doing, needs), doing)

    def find(self, path: str, *, doing: str, needs: str) -> dict[str, Any] | None:
        """Return one object; None where there is none, or none that the token may see."""
        response = self._ask("GET", self._api_url + path, doing, needs, or_else=_HIDDEN)
        return None if response.status_code == _HIDDEN else _object(response, doing)

    def items(self, path: str, *, doing: str, needs: str) -> list[dict[str, Any]]:
        """Return every object of a list that has no pages."""
        return _objects(self._ask("GET", self._api_url + path, doing, needs), doing)

    def pages(
        self, path: str, *, doing: str, needs: str, query: Mapping[str, str] | None = None, key: str | None = None
    ) -> Iterator[dict[str, Any]]:
        """Yield every object of a list, over all its pages; ``key`` says where in each page's object the list is."""
        for response in self._pages(path, doing, needs, query):
            yield from _objects(response, doing, key)

    def whole(self, path: str, *, doing: str, needs: str, key: str) -> dict[str, Any] | None:
        """Return one object whose list ``key`` is in pages, with all of it; None where there is none."""
        first, objects = None, list[dict[str, Any]]()
        for response in self._pages(path, doing, needs, or_else=_HIDDEN):
            if response.status_code == _HIDDEN:
                return None
            first = first or _object(response, doing)
            objects += _objects(response, doing, key)
        return {**(first or {}), key: objects}

    def _pages(
        self, path: str, doing: str, needs: str, query: Mapping[str, str] | None = None, or_else: int | None = None
    ) -> Iterator[Response]:
        url, seen = f"{self._api_url}{path}?{urlencode({**(query or {}), 'per_page': 100})}", set[str]()
        while url:
            if url in seen or not url.startswith(f"{self._api_url}/"):
                raise _outside(f"could not {doing}: GitHub named a next page that can't be right")
            seen.add(url)
            response = self._ask("GET", url, doing, needs, or_else=or_else)
            yield response
            url = response.links.get("next", {}).get("url", "")

    def post(self, path: str, body: dict[str, Any], *, doing: str, needs: str) -> dict[str, Any]:
        """Make something. Raises ``UnansweredError`` where it can't be known whether it was made."""
        return _object(self._ask("POST", self._api_url + path, doing, needs, body), doing)

    def patch(self, path: str, body: dict[str, Any], *, doing: str, needs: str) -> dict[str, Any]:
        """Change something."""
        return _object(self._ask("PATCH", self._api_url + path, doing, needs, body), doing)

    def delete(self, path: str, *, doing: str, needs: str) -> None:
        """Remove something. That it is gone already is as good."""
        self._ask("DELETE", self._api_url + path, doing, needs)

    def _ask(
        self,
        method: str,
        url: str,
        doing: str,
        needs: str,
        body: dict[str, Any] | None = None,
        or_else: int | None = None,
    ) -> Response:
        from requests import RequestException

        try:
            # A redirect would carry the token along; GitHub sends none for a repository by its current name.
            with ran("GitHub", f"{method} {url.removeprefix(self._api_url).partition('?')[0]}"):
                response = self._session.request(method, url, json=body, timeout=self._timeout, allow_redirects=False)
        except RequestException as error:
            error_class = UnansweredError if method == "POST" else GatesError
            raise _outside(f"could not {doing}: {_cause(error)}", _LATER, error_class) from error
        if (
            response.status_code in _DONE
            or response.status_code == or_else
            or (method == "DELETE" and response.status_code in _GONE)
        ):
            return response
        error_class = UnansweredError if method == "POST" and response.status_code in _TROUBLE else _kind(response)
        what = f"could not {doing}: {response.status_code} {_message(response)}"
        raise _outside(what, _mend(response, needs), error_class)


def _kind(response: Response) -> type[GatesError]:
    refused = response.status_code in (_FORBIDDEN, _HIDDEN) and _mend(response, "") != _LATER
    return NotPermittedError if refused else GatesError


def _adapter(retries: int, backoff: float) -> HTTPAdapter:
    from requests.adapters import HTTPAdapter
    from urllib3.util import Retry

    class Patience(Retry):
        RETRY_AFTER_STATUS_CODES = frozenset({_FORBIDDEN, _TOO_MANY, 503})

        def is_retry(self, method: str, status_code: int, has_retry_after: bool = False) -> bool:
            # Refused for its rate, a request was not carried out: even a POST may be said again.
            refused = status_code == _TOO_MANY or (status_code == _FORBIDDEN and has_retry_after)
            return refused or super().is_retry(method, status_code, has_retry_after)

    return HTTPAdapter(
        max_retries=Patience(
            total=retries,
            backoff_factor=backoff,
            backoff_max=LONGEST_WAIT,
            retry_after_max=LONGEST_WAIT,
            status_forcelist=_TROUBLE,
            allowed_methods={"GET", "PATCH", "DELETE"},
            raise_on_status=False,
        )
    )


def _session(token: str, adapter: HTTPAdapter) -> Session:
    from requests import Session

    if not _TOKEN.fullmatch(token):  # a header with it would be refused in words that hold the token
        raise GatesError("is not set, or is not a token", where="GITHUB_TOKEN", hint=_SET)

    def sign(request: PreparedRequest) -> PreparedRequest:
        request.headers["Authorization"] = f"Bearer {token}"
        return request

    session = Session()
    session.auth = sign  # as auth, so that a .netrc file can't put its own in place
    session.headers["Accept"] = "application/vnd.github+json"
    session.headers["User-Agent"] = f"gates-ml/{__version__}"
    session.headers["X-GitHub-Api-Version"] = API_VERSION
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session


def _object(response: Response, doing: str) -> dict[str, Any]:
    value = _json(response, doing)
    if not isinstance(value, dict):
        raise _unreadable(response, doing)
    return value


def _objects(response: Response, doing: str, key: str | None = None) -> list[dict[str, Any]]:
    value = _json(response, doing)
    if key is not None:
        value = value.get(key) if isinstance(value, dict) else None
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise _unreadable(response, doing)
    return value


def _json(response: Response, doing: str) -> Any:
    try:
        return response.json()
    except (ValueError, RecursionError) as error:
        raise _unreadable(response, doing) from error


def _unreadable(response: Response, doing: str) -> GatesError:
    error_class = UnansweredError if response.request.method == "POST" else GatesError
    return _outside(f"could not {doing}: its answer ({response.status_code}) can't be read", _LATER, error_class)


def _message(response: Response) -> str:
    try:
        value = response.json()["message"]
    except (ValueError, RecursionError, KeyError, TypeError):
        value = response.reason
    return "".join(letter for letter in str(value)[:200] if letter.isprintable())


_LATER = "Run the job again in a few minutes; nothing was decided by this."


def _mend(response: Response, needs: str) -> str:
    status, message = response.status_code, _message(response).lower()
    if status in _TROUBLE or status == _TOO_MANY or "rate limit" in message:
        return _LATER
    grant = f"Give the job, and the job that calls it, this line under `permissions:`: `{needs}`."
    hints = {
        401: "The token is missing, wrong or expired; in a workflow pass `token: ${{ github.token }}`.",
        403: grant,
        404: f"Either it does not exist, or the token may not see it. {grant}",
        410: "It was deleted, its thread is closed to everyone, or the repository has no issues (Settings → Features).",
    }
    return hints.get(status, "This is not what GitHub documents; please report it.")


def _cause(error: Exception) -> str:
    from requests import exceptions
    from urllib3.exceptions import ReadTimeoutError

    last = getattr(error.args[0], "reason", None) if error.args else None  # of several tries
    if isinstance(error, exceptions.Timeout) or isinstance(last, ReadTimeoutError):
        return "GitHub did not answer in time"
    if isinstance(error, exceptions.SSLError):
        return "the connection is not secure (its certificate was refused)"
    return "GitHub can't be reached, or closed the connection"


def _outside(what: str, hint: str | None = None, error_class: type[GatesError] = GatesError) -> GatesError:
    return error_class(what, where="GitHub", hint=hint, exit_code=Exit.OUTSIDE)
