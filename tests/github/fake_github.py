"""A GitHub on 127.0.0.1 that keeps pull requests and their comments, and fails when told to.

It takes no request and gives no answer that GitHub's description of the API does not know: whatever is
wrong is kept in ``complaints``, which ``stop`` raises.
"""

from __future__ import annotations

import json
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from description import Description, Operation, load
from fake_settings import Settings
from urllib3 import Timeout

BOT = "github-actions[bot]"
LONGEST = 65_536
LONGEST_DESCRIPTION = 140  # of a status
LONG = 60  # seconds; a machine may be busy


@dataclass(frozen=True)
class Trouble:
    """How a request fails. ``done``: it was carried out before. ``unanswered``: until the client gives up, who knows by
    ``Patience`` that nothing will come. ``raw``: bytes instead of an answer."""

    status: int = 500
    message: str = "trouble on purpose"
    headers: dict[str, str] = field(default_factory=dict)
    done: bool = False
    unanswered: bool = False
    raw: bytes | None = None
    hang_up: bool = False


@dataclass(frozen=True)
class Asked:
    verb: str
    path: str
    operation: str


@dataclass(frozen=True)
class Answer:
    status: int
    value: Any = None
    headers: dict[str, str] = field(default_factory=dict)


def refusal(status: int, message: str) -> Answer:
    return Answer(
        status, {"message": message, "documentation_url": "https://docs.github.com/rest", "status": str(status)}
    )


class FakeGitHub:
    """One repository. ``tokens`` says who writes with which; those in ``readers`` may not write."""

    def __init__(self, repository: str = "acme/churn") -> None:
        self.repository = repository
        self.tokens = {"ghs_bot": BOT, "ghs_reader": BOT, "ghp_dana": "dana"}
        self.readers = {"ghs_reader"}
        self.heads: dict[int, str] = {}
        self.bases: dict[int, str] = {}  # commit of the base branch, where a test says one
        self.branches: dict[int, str] = {}  # what a pull request asks to change, where that is not main
        self.offered: dict[int, str] = {}  # the branch that a pull request comes from, where a test says one
        self.into: dict[int, str] = {}  # the repository that a pull request asks, where it is another one
        self.changed: dict[int, list[str]] = {}
        self.runs: dict[str, list[int]] = {}  # commit -> its runs, the newest first
        self.artifacts: dict[int, list[dict[str, Any]]] = {}  # run -> what it handed over
        self.comments: list[dict[str, Any]] = []
        self.statuses: list[dict[str, Any]] = []
        self.dispatches: list[dict[str, Any]] = []  # what has started workflows
        self.settings = Settings()
        self.asked: list[Asked] = []
        self.dealt_with: queue.SimpleQueue[bool] = queue.SimpleQueue()  # of each request: whether no answer comes
        self.complaints: list[str] = []
        self.page_size: int | None = None  # smaller pages than asked for, to have many
        self._troubles: list[tuple[str, str, Trouble]] = []
        self._description: Description = load()
        self._next_id = 1000
        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", 0), _handler(self))
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        if self.complaints:
            raise AssertionError("GitHub's description knows no such thing:\n" + "\n".join(self.complaints))

    def say(self, pr: int, body: str, login: str = BOT) -> dict[str, Any]:
        """Someone writes a comment."""
        self._next_id += 1
        self.comments.append(comment := self._comment(self._next_id, pr, body, login))
        return comment

    def bodies(self, login: str = BOT) -> list[str]:
        return [comment["body"] for comment in self.comments if comment["user"]["login"] == login]

    def fail(self, verb: str, operation: str, *troubles: Trouble) -> None:
        """Let the next requests of this kind fail, one trouble each."""
        self._troubles += [(verb, operation, trouble) for trouble in troubles]

    def verbs(self) -> list[str]:
        return [asked.operation for asked in self.asked]

    # -- what a request meets, from the outside in --

    def answer(self, verb: str, target: str, headers: dict[str, str], body: bytes) -> tuple[Answer, Trouble | None]:
        url = urlsplit(target)
        query = dict(parse_qsl(url.query, keep_blank_values=True))
        operation = self._description.operation(verb, url.path)
        with self._lock:
            if operation is None:
                self.complaints.append(f"{verb} {url.path}: no such operation")
                return refusal(404, "Not Found"), None
            self.asked.append(Asked(verb, url.path, operation.id))
            self._complain(operation, self._description.faults_of_request(operation, query, body))
            self._complain(operation, _faults_of_headers(headers))
            trouble = self._trouble(verb, operation.id)
            if trouble is None or trouble.done:
                answer = self._serve(operation, query, json.loads(body) if body else None, headers)
            if trouble is not None:
                answer = refusal(trouble.status, trouble.message)
                answer.headers.update(trouble.headers)
            if trouble is None or (trouble.raw is None and not trouble.hang_up):
                faults = self._description.faults_of_answer(operation, answer.status, answer.value)
                self._complain(operation, faults)
            return answer, trouble

    def _complain(self, operation: Operation, faults: list[str]) -> None:
        self.complaints += [f"{operation.id}: {fault}" for fault in faults]

    def _trouble(self, verb: str, operation: str) -> Trouble | None:
        for planned in self._troubles:
            if planned[:2] == (verb, operation):
                self._troubles.remove(planned)
                return planned[2]
        return None

    def _serve(self, operation: Operation, query: dict[str, str], body: Any, headers: dict[str, str]) -> Answer:
        token = headers.get("authorization", "").removeprefix("Bearer ")
        login = self.tokens.get(token)
        names = operation.names
        if login is None:
            return refusal(401, "Bad credentials")
        if "repo" in names and f"{names['owner']}/{names['repo']}" != self.repository:
            return refusal(404, "Not Found")
        if operation.verb != "get" and token in self.readers:
            return refusal(403, "Resource not accessible by integration")
        values: dict[str, Any] = {name: int(text) if text.isdigit() else text for name, text in names.items()}
        serve: Callable[..., Answer] | None = getattr(
            self, "_" + operation.id.replace("/", "_").replace("-", "_"), None
        )
        if serve is not None:
            return serve(values, query, body, login)
        value = self.settings.answer(operation.id, values, query, self._description.example)
        return refusal(404, "Not Found") if value is None else Answer(200, value, self._next(operation, query, value))

    def _next(self, operation: Operation, query: dict[str, str], value: Any) -> dict[str, str]:
        size, page = int(query.get("per_page", 30)), int(query.get("page", 1))
        if not isinstance(value, dict) or page * size >= value.get("total_count", 0):
            return {}
        path = operation.path.format(**operation.names)
        return {"Link": f'<{self.url}{path}?per_page={size}&page={page + 1}>; rel="next"'}

    # -- the operations; the names are GitHub's own --

    def _pulls_get(self, names: dict[str, int], *_: Any) -> Answer:
        number = names["pull_number"]
        if number not in self.heads:
            return refusal(404, "Not Found")
        pull = self._description.example("pull-request")
        pull.update(number=number, requested_teams=[])  # the example's team is not as described
        pull["head"]["sha"] = self.heads[number]
        pull["base"]["ref"] = self.branches.get(number, "main")
        return Answer(200, pull)

    def _issues_list_comments(self, names: dict[str, int], query: dict[str, str], *_: Any) -> Answer:
        number = names["issue_number"]
        if number not in self.heads:
            return refusal(404, "Not Found")
        all_of_them = [comment for comment in self.comments if comment["issue_url"].endswith(f"/{number}")]
        return self._page(f"issues/{number}/comments", all_of_them, query)

    def _page(self, path: str, all_of_them: list[Any], query: dict[str, str], key: str | None = None) -> Answer:
        """One page of a list, with a link to the next; ``key`` where the list stands in an object."""
        size = min(int(query.get("per_page", 30)), 100, self.page_size or 100)
        page = int(query.get("page", 1))
        link = {}
        if page * size < len(all_of_them):
            rest = "".join(f"{name}={value}&" for name, value in query.items() if name not in ("page", "per_page"))
            here = f"{self.url}/repos/{self.repository}/{path}?{rest}per_page={size}"
            last = -(-len(all_of_them) // size)
            link = {"Link": f'<{here}&page={page + 1}>; rel="next", <{here}&page={last}>; rel="last"'}
        part = all_of_them[(page - 1) * size : page * size]
        return Answer(200, {"total_count": len(all_of_them), key: part} if key else part, link)

    def _pulls_list(self, _: dict[str, int], query: dict[str, str], *__: Any) -> Answer:
        return self._page("pulls", [self._pull(number) for number in self.heads], query)

    def _pull(self, number: int) -> dict[str, Any]:
        pull: dict[str, Any] = self._description.example("pull-request-simple-items")[0]
        pull.update(number=number, requested_teams=[])  # the example's team is not as described
        pull["head"]["sha"] = self.heads[number]
        pull["base"]["sha"] = self.bases.get(number, "b" * 40)
        pull["base"]["ref"] = self.branches.get(number, "main")
        pull["base"]["repo"]["full_name"] = self.into.get(number, self.repository)
        pull["head"]["ref"] = self.offered.get(number, pull["head"]["ref"])
        return pull

    def _pulls_list_files(self, names: dict[str, int], query: dict[str, str], *_: Any) -> Answer:
        number = names["pull_number"]
        entry = self._description.example("diff-entry-items")[0]
        entries = [entry | {"filename": name} for name in self.changed.get(number, [])]
        return self._page(f"pulls/{number}/files", entries, query)

    def hand_over(self, run: int, *artifacts: tuple[int, str, int]) -> None:
        """What a run has uploaded: id, name and size of each artifact."""
        example = self._description.example("artifact-paginated")["artifacts"][0]
        self.artifacts[run] = [
            example | {"id": number, "name": name, "size_in_bytes": size, "expired": False}
            for number, name, size in artifacts
        ]

    def _actions_list_workflow_run_artifacts(self, names: dict[str, int], query: dict[str, str], *_: Any) -> Answer:
        run = names["run_id"]
        return self._page(f"actions/runs/{run}/artifacts", self.artifacts.get(run, []), query, "artifacts")

    def _actions_list_workflow_runs_for_repo(self, _: dict[str, int], query: dict[str, str], *__: Any) -> Answer:
        example = self._description.example("workflow-run-paginated")["workflow_runs"][0]
        found = [example | {"id": run, "head_sha": query["head_sha"]} for run in self.runs.get(query["head_sha"], [])]
        return self._page("actions/runs", found, query, "workflow_runs")

    def _issues_create_comment(self, names: dict[str, int], _: Any, body: Any, login: str) -> Answer:
        if names["issue_number"] not in self.heads:
            return refusal(404, "Not Found")
        if not 0 < len(body["body"]) <= LONGEST:
            return refusal(422, "Validation Failed")
        return Answer(201, self.say(names["issue_number"], body["body"], login))

    def _issues_update_comment(self, names: dict[str, int], _: Any, body: Any, __: str) -> Answer:
        for comment in self.comments:
            if comment["id"] == names["comment_id"]:
                comment["body"] = body["body"]
                return Answer(200, comment)
        return refusal(404, "Not Found")

    def _issues_delete_comment(self, names: dict[str, int], *_: Any) -> Answer:
        kept = [comment for comment in self.comments if comment["id"] != names["comment_id"]]
        if len(kept) == len(self.comments):
            return refusal(404, "Not Found")
        self.comments[:] = kept
        return Answer(204)

    def _repos_create_commit_status(self, names: dict[str, Any], _: dict[str, str], body: Any, login: str) -> Answer:
        if len(body.get("description", "")) > LONGEST_DESCRIPTION:
            return refusal(422, "Validation Failed")
        status = self._description.example("status")
        status.update(body)
        status["url"] = f"https://api.github.com/repos/{self.repository}/statuses/{names['sha']}"
        status["creator"]["login"] = login
        self.statuses.append(status)
        return Answer(201, status)

    def judged(self, commit: str, context: str, state: str) -> None:
        """An earlier run has set a status."""
        self._repos_create_commit_status({"sha": commit}, {}, {"context": context, "state": state}, BOT)

    def _repos_get_combined_status_for_ref(self, names: dict[str, Any], query: dict[str, str], *_: Any) -> Answer:
        newest = {one["context"].casefold(): one for one in self.statuses if one["url"].endswith(f"/{names['ref']}")}
        whole = self._description.example("combined-commit-status")
        answer = self._page(f"commits/{names['ref']}/status", list(newest.values()), query, "statuses")
        fields = self._description.example("combined-commit-status")["statuses"][0]
        assert isinstance(answer.value, dict)
        told = [{name: one.get(name, value) for name, value in fields.items()} for one in answer.value["statuses"]]
        return Answer(200, whole | answer.value | {"statuses": told}, answer.headers)

    def _repos_create_dispatch_event(self, _: dict[str, Any], __: dict[str, str], body: Any, ___: str) -> Answer:
        if "event_type" not in body:
            return refusal(422, 'Invalid request.\n\n"event_type" wasn\'t supplied.')
        self.dispatches.append(body)
        return Answer(204)

    def _comment(self, number: int, pr: int, body: str, login: str) -> dict[str, Any]:
        comment: dict[str, Any] = self._description.example("issue-comment")
        base = f"https://api.github.com/repos/{self.repository}/issues"
        comment.update(id=number, body=body, url=f"{base}/comments/{number}", issue_url=f"{base}/{pr}")
        comment["user"].update(login=login, type="Bot" if login.endswith("[bot]") else "User")
        return comment


class Patience(Timeout):
    """How long the one client of a GitHub waits for an answer: not at all for one that never comes, else for long. So
    no test hangs on how busy the machine is."""

    def __init__(self, github: FakeGitHub) -> None:
        super().__init__(connect=LONG, read=LONG)
        self._github = github

    def clone(self) -> Patience:
        return Patience(self._github)

    @property
    def read_timeout(self) -> float:
        """Asked for when the request was sent."""
        return 0.05 if self._github.dealt_with.get(timeout=LONG) else LONG


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: Any) -> None:
        """A client that no longer waits is no news here."""


def _faults_of_headers(headers: dict[str, str]) -> list[str]:
    wanted = {"accept": "application/vnd.github+json", "x-github-api-version": "2022-11-28"}
    faults = [f"{name} is {headers.get(name)!r}" for name, value in wanted.items() if headers.get(name) != value]
    return faults if headers.get("user-agent") else [*faults, "no user-agent"]


def _handler(github: FakeGitHub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # an answer leaves in one piece, else the two sides wait for each other

        def serve(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            headers = {name.lower(): value for name, value in self.headers.items()}
            answer, trouble = github.answer(self.command, self.path, headers, body)
            unanswered = bool(trouble and trouble.unanswered)
            github.dealt_with.put(unanswered)
            if unanswered:
                self.connection.recv(1)  # ends when the client does
            if unanswered or (trouble and trouble.hang_up):
                self.close_connection = True
                return
            content = b"" if answer.value is None else json.dumps(answer.value).encode()
            if trouble and trouble.raw is not None:
                content = trouble.raw
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Type", "application/json; charset=utf-8")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PATCH = do_DELETE = do_PUT = serve  # noqa: N815 -- http.server's names

        def log_message(self, *_: Any) -> None:
            pass

    return Handler
