"""The JOB.* commands as data: name, arguments, purpose, flags, cost. COMMAND DOCS, HELP and the ACL follow from it.

Their handlers are in commands.py and steer_commands.py; docs/protocol.md has every answer and error.
"""

from __future__ import annotations

from typing import Final

CREATE_OPTIONS: Final = (
    "[DELAY ms | AT ms] [PRIORITY 0-255] [RETRY n] [BACKOFF spec] [TIMEOUT ms] [EXPIRE ms] [UNIQUE key [TTL ms]]"
    " [IDEMPOTENCY key [KEEP ms]] [TAG t]* [META json]"
)
SCHEDULE_OPTIONS: Final = (
    "[TZ zone] [MISSED policy] [START ms] [PAUSED] [PRIORITY 0-255] [RETRY n] [BACKOFF spec] [TIMEOUT ms]"
    " [EXPIRE ms] [TAG t]* [META json]"
)
TABLE: Final[dict[str, tuple[str, str, str, str]]] = {
    "JOB.CREATE": (f"topic params {CREATE_OPTIONS}", "Make a job; answers its id once it is on disk.",
                   "write denyoom", "O(log(N)) with N jobs of the topic that wait"),
    "JOB.MCREATE": ("topic params [params ...]", "Make several jobs of a topic in one commit.", "write denyoom",
                    "O(M*log(N)) for M jobs"),
    "JOB.MCREATEX": (f"topic count params [params ...] {CREATE_OPTIONS}",
                     "Make several jobs of a topic with the same options in one commit.", "write denyoom",
                     "O(M*log(N)) for M jobs"),
    "JOB.GET": ("id", "A job as it is now.", "readonly fast", "O(1)"),
    "JOB.HISTORY": ("id [COUNT n]", "All versions of a job, newest first.", "readonly", "O(N) for N versions"),
    "JOB.STATUS": ("id state", "Set the state of a job by hand.", "write", "O(1)"),
    "JOB.FETCH": ("count timeout-ms topic [topic ...] [LEASE ms] [WORKER name]",
                  "Take waiting jobs to work on them, waiting for some.", "write blocking", "O(M) for M jobs"),
    "JOB.COMPLETE": ("id result [TOKEN t] [CPU us] [RSS bytes]", "End a job as done with its result.", "write", "O(1)"),
    "JOB.FAIL": ("id error [TOKEN t] [DEAD | RETRY ms | AT ms] [RETRIES n] [BACKOFF spec] [TRACEBACK text] [REASON r] "
                 "[CPU us] [RSS bytes]",
                 "End an attempt with an error; the job may be tried again.", "write",
                 "O(1)"),
    "JOB.SNOOZE": ("id ms [TOKEN t]", "Put a running job off; the attempt does not count.", "write", "O(log(N))"),
    "JOB.RELEASE": ("id [TOKEN t]", "Give a job back that was fetched and not begun; the attempt does not count.",
                    "write", "O(log(N))"),
    "JOB.EXTEND": ("id ms [TOKEN t]", "Heartbeat: the lease of a job ends so long from now.", "write fast", "O(1)"),
    "JOB.PROGRESS": ("id percent [message] [TOKEN t]", "Say how far a running job is.", "write fast", "O(1)"),
    "JOB.LOG": ("id line [TOKEN t]", "Keep a log line with a running job.", "write fast", "O(1)"),
    "JOB.LOGS": ("id [COUNT n]", "The last log lines of a job, oldest first.", "readonly", "O(N) for N lines"),
    "JOB.CANCEL": ("id [reason]", "End a waiting or running job.", "write",
                   "O(N) with N jobs of the topic that wait"),
    "JOB.RETRY": ("id", "Run a job again that ended as error.", "write", "O(log(N))"),
    "JOB.DELETE": ("id", "Delete a job that is not running.", "write", "O(N) with N jobs of the topic that wait"),
    "JOB.EDIT": ("id [PARAMS p] [PRIORITY n]", "Change the params or the priority of a waiting job.", "write",
                 "O(N) with N jobs of the topic that wait"),
    "JOB.PROMOTE": ("id", "Put a waiting job at the head of its line; a delay is over.", "write",
                    "O(N) with N jobs of the topic that wait"),
    "JOB.WAIT": ("id timeout-ms", "Wait until a job is done or error.", "readonly blocking", "O(1)"),
    "JOB.EVENTS": ("cursor [COUNT n] [BLOCK ms]", "All changes in order, from a cursor on.", "readonly blocking",
                   "O(N) for N events"),
    "JOB.LIST": ("[TOPIC t] [STATE s] [QUERY q] [ASOF ms] [CURSOR c] [COUNT n] [IDS]",
                 "Jobs, newest first, by topic, state and query, as they are or were at a moment.",
                 "readonly blocking", "O(N) for N jobs that are looked at"),
    "JOB.BULK": ("retry|cancel|delete QUERY q [DRYRUN]",
                 "Retry, cancel or delete all jobs that fit a query, or count them.", "write blocking",
                 "O(N) for N jobs that fit"),
    "JOB.STATS": ("[topic [DETAIL]]", "Counts by state; in detail totals, rates and durations too.",
                  "readonly fast", "O(N) with N topics"),
    "JOB.TOPICS": ("", "Counts by topic and state.", "readonly", "O(N) with N topics"),
    "JOB.WORKERS": ("", "Who works, and on which jobs.", "readonly", "O(N) for N running jobs"),
    "JOB.POOL": ("[WORKERS n] [PROCESSES n] [QUIET | WORK]",
                 "The server's own workers: how many, how many of them busy; more or fewer, quiet or at work.", "admin",
                 "O(N) for N workers"),
    "JOB.PAUSE": ("topic", "Hand out no more jobs of a topic.", "write", "O(1)"),
    "JOB.RESUME": ("topic", "Hand out the jobs of a topic again.", "write", "O(1)"),
    "JOB.PURGE": ("topic", "Delete all waiting jobs of a topic; answers how many.", "write",
                  "O(N) with N jobs of the topic that wait"),
    "JOB.SCHEDULE SET": (f"name topic params (CRON expr | EVERY ms) {SCHEDULE_OPTIONS}",
                         "Make or replace a schedule.", "write", "O(log(N)) with N schedules"),
    "JOB.SCHEDULE GET": ("name", "A schedule with its next and last run.", "readonly fast", "O(1)"),
    "JOB.SCHEDULE LIST": ("", "All schedules.", "readonly", "O(N) with N schedules"),
    "JOB.SCHEDULE DEL": ("name", "Delete a schedule; its jobs stay.", "write", "O(1)"),
    "JOB.SCHEDULE PAUSE": ("name", "No runs of a schedule until it is resumed.", "write", "O(1)"),
    "JOB.SCHEDULE RESUME": ("name", "Let a schedule run again, from its next moment on.", "write",
                            "O(log(N)) with N schedules"),
    "JOB.HELP": ("", "Shows this help.", "readonly fast", "O(1)"),
}
