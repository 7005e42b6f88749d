"""Launch on Kubernetes: start, look, log and stop by kubectl, for every kind that has a kind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from gates.errors import Exit, GatesError
from gates.launch import filled
from gates.launch.document import kind_of, with_identity
from gates.launch.job_kinds import BY_NAME, DATA, OUT, JobKind
from gates.launch.job_state import state
from gates.launch.jobs import found, stopping
from gates.launch.kubectl import AnswerError, Kubectl, LogStream
from gates.launch.parcel import CODE_FILES, LARGEST
from gates.launch.store import HOUR, Store, parcel_name
from gates.launch.task import KEY, LABEL, RECIPE, LaunchedJob, Phase, State, Task, about
from gates.schema.fields import Plain
from gates.wording import counted

ENGINE = "kubernetes"
MOST_LOG = 64 * 2**20  # bytes
TRIES = 3  # to take the place of a job that failed
QUOTA = "exceeded quota"  # what the cluster says of a pod that must wait for others
MARGIN = 3600  # seconds that a signed address outlives the job's limits: for images, and clocks that differ


@dataclass(frozen=True, slots=True, kw_only=True)
class Kubernetes:
    """A cluster, by kubectl's context, and the store that its pods reach."""

    kubectl: Kubectl
    store: Store

    # -- start --

    def ready(self, task: Task) -> None:
        """Refuse what can't end well, before anything is sent."""
        row, life = kind_of(task.document), task.wait + task.seconds + MARGIN
        if self._by_uri(task):
            return
        if not self.store.signs:
            return
        if life > self.store.session():
            raise GatesError(
                f"its addresses must work for {counted(life // HOUR, 'hour')}; the login that signs them ends before",
                where=f"{row.named}, train.wait + train.timeout",
                hint="Lengthen the role's session, and tell its end as AWS_CREDENTIAL_EXPIRATION; or name a "
                "serviceAccountName in the document.",
            )

    def start(self, task: Task) -> LaunchedJob:
        """Start the job of a task, or find it; those of the same branch that another commit wants no more are stopped.

        Raises ``GatesError`` where a job that is not ours has its name.
        """
        row = kind_of(task.document)
        self._supersede(row, task)
        if self._known(row, task) is None and self.store.has(task.out):
            return task.expected
        for _ in range(TRIES):
            try:
                job = self.kubectl.json("create", "--validate=strict", "-f", "-", given=self._manifest(task))
                run = _run(row, job, adopted=False)
            except AnswerError as error:
                if error.reason != "AlreadyExists":
                    raise
                known = self._known(row, task)
                if known is None:
                    continue  # it has just gone
                job, run = known, _run(row, known, adopted=True)
                if state(row, job).phase is Phase.FAILED:  # a new try is wanted, not the old news
                    self.stop(run)
                    continue
            self._hand_secret(task, job)
            return run
        raise GatesError("its place is not free: a job of before does not go", where=task.name, exit_code=Exit.OUTSIDE)

    def _known(self, row: JobKind, task: Task) -> Plain:
        """Return the job that has the task's name, if it is the task's; None where there is none any more."""
        try:
            job = self.kubectl.json("get", row.resource, task.name)
        except AnswerError as error:
            if error.reason == "NotFound":
                return None
            raise
        if _labels(job).get(KEY) != task.key[:LABEL]:
            raise GatesError(
                f"a {row.kind} of this name is there, and it is not of this training: its key differs",
                where=task.name,
                hint="Look at it with kubectl, and delete it if nobody needs it.",
                exit_code=Exit.OUTSIDE,
            )
        return job

    def _supersede(self, row: JobKind, task: Task) -> None:
        """Stop the jobs of the same model and branch that train something else: nobody waits for them any more."""
        for item in found(self.kubectl, row, about(task.model, task.ref), {RECIPE: task.recipe[:LABEL]}):
            if not state(row, item).phase.final:
                self.stop(_run(row, item, adopted=True))

    def _by_uri(self, task: Task) -> bool:
        return kind_of(task.document).given is not None or with_identity(task.document.value) or not self.store.signs

    def _manifest(self, task: Task) -> Plain:
        uris = {DATA: self.store.at(parcel_name(task.inputs.get("data", ""))), OUT: self.store.at(task.out)}
        return filled.manifest(task, uris, self._instructions(task) if self._by_uri(task) else None)

    def _instructions(self, task: Task) -> str:
        """Return what the program inside is told: where everything lies, or addresses that need no credential."""
        limits, life = (CODE_FILES, LARGEST), task.wait + task.seconds + MARGIN
        if self._by_uri(task):
            return filled.instructions(
                task, lambda sha: self.store.at(parcel_name(sha)), self.store.at(task.out), {}, limits
            )
        return filled.instructions(
            task,
            lambda sha: self.store.signed("GET", parcel_name(sha), life),
            self.store.signed("PUT", task.out, life),
            self.store.headers,
            limits,
        )

    def _hand_secret(self, task: Task, job: Plain) -> None:
        """Put the signed addresses beside the job; its pods wait for them."""
        if self._by_uri(task):
            return
        try:
            self.kubectl.ask("create", "-f", "-", given=filled.secret(task, job, self._instructions(task)))
        except AnswerError as error:
            if error.reason != "AlreadyExists":
                raise

    # -- look, log, stop --

    def look(self, run: LaunchedJob) -> State:
        """Ask how a job stands."""
        row = BY_NAME[run.kind]
        try:
            job = self.kubectl.json("get", row.resource, run.name)
        except AnswerError as error:
            if error.reason == "NotFound":
                return State(phase=Phase.GONE, why="was deleted")
            raise
        if job["metadata"].get("uid") != run.uid:
            return State(phase=Phase.GONE, why="another job has taken its place")
        pods = self._pods(row.pods, run)
        now = state(row, job, pods)
        return now if pods or now.phase is not Phase.QUEUED else self._unmade(run, now)

    def _unmade(self, run: LaunchedJob, queued: State) -> State:
        """Say why a queued job has no pod: its namespace refuses them, or has no room for more."""
        try:
            asked = f"--field-selector=type=Warning,involvedObject.uid={run.uid}"
            events = self.kubectl.json("get", "events", asked).get("items") or []
        except AnswerError:  # whoever may not read events is told no reason
            return queued
        refused = [event["message"] for event in events if event.get("reason") == "FailedCreate"]
        if not refused:
            return queued
        return replace(queued, why=refused[-1], stuck=None if QUOTA in refused[-1] else refused[-1])

    def _pods(self, selector: str, run: LaunchedJob) -> Sequence[Plain]:
        if not selector:
            return ()
        selector = selector.format(key=run.key[:LABEL], name=run.name)
        items: list[Plain] = self.kubectl.json("get", "pods", "-l", selector).get("items") or []
        return items

    def log(self, run: LaunchedJob, pod: str, since: str | None, *, follow: bool = True) -> LogStream:
        """Follow the log of a pod, each line after its time, from a time on; or give all that it holds by now."""
        later = (f"--since-time={since}",) if since else ()
        how = ("--follow", "--timestamps", *later) if follow else (f"--limit-bytes={MOST_LOG}",)
        return self.kubectl.stream("logs", *how, *self._printing(run, pod), for_ever=follow)

    def _printing(self, run: LaunchedJob, pod: str) -> tuple[str, ...]:
        """Return the pod and the container that print what the training prints."""
        row = BY_NAME[run.kind]
        others = [item["metadata"]["name"] for item in self._pods(row.logs, run)]
        return (f"pod/{(others or [pod])[-1]}", *(("-c", row.container) if row.container else ()))

    def stop(self, run: LaunchedJob, *, wait: bool = True) -> None:
        """Order a job to stop; its pods go with it. It is known by its label, never by its name alone."""
        (self.kubectl.ask if wait else self.kubectl.send)(*stopping(BY_NAME[run.kind], run.key))


def _labels(job: Plain) -> Mapping[str, str]:
    return job["metadata"].get("labels") or {}


def _run(row: JobKind, job: Plain, *, adopted: bool) -> LaunchedJob:
    metadata = job["metadata"]
    return LaunchedJob(
        kind=row.named,
        name=metadata["name"],
        key=_labels(job).get(KEY, ""),
        uid=metadata.get("uid", ""),
        where=metadata.get("namespace", ""),
        created=metadata.get("creationTimestamp"),
        adopted=adopted,
    )
