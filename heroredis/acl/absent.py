"""Commands of Redis 7.0 that may be missing here, with their categories: rules that name them are read and kept.

So the users of a Redis installation can be taken over as they are, and a user is told as Redis would tell it.
"""

from __future__ import annotations

from typing import Final

_LINES: Final = """
admin dangerous hyperloglog slow: PFSELFTEST
admin dangerous hyperloglog slow write: PFDEBUG
admin dangerous slow: CLUSTER ADDSLOTS, CLUSTER ADDSLOTSRANGE, CLUSTER BUMPEPOCH, CLUSTER COUNT-FAILURE-REPORTS
admin dangerous slow: CLUSTER DELSLOTS, CLUSTER DELSLOTSRANGE, CLUSTER FAILOVER, CLUSTER FLUSHSLOTS, CLUSTER FORGET
admin dangerous slow: CLUSTER MEET, CLUSTER REPLICAS, CLUSTER REPLICATE, CLUSTER RESET, CLUSTER SAVECONFIG
admin dangerous slow: CLUSTER SET-CONFIG-EPOCH, CLUSTER SETSLOT, CLUSTER SLAVES, FAILOVER, LATENCY DOCTOR
admin dangerous slow: LATENCY GRAPH, LATENCY HISTOGRAM, LATENCY HISTORY, LATENCY LATEST, LATENCY RESET, MODULE LIST
admin dangerous slow: MODULE LOAD, MODULE LOADEX, MODULE UNLOAD, PSYNC, REPLCONF, REPLICAOF, SLAVEOF, SYNC
blocking read slow stream: XREAD
blocking slow stream write: XREADGROUP
connection fast: ASKING, READONLY, READWRITE
connection slow: COMMAND GETKEYSANDFLAGS
fast hyperloglog write: PFADD
fast read: LOLWUT
fast read stream: XLEN
fast stream write: XACK, XADD, XAUTOCLAIM, XCLAIM, XDEL, XSETID
geo read slow: GEODIST, GEOHASH, GEOPOS, GEORADIUSBYMEMBER_RO, GEORADIUS_RO, GEOSEARCH
geo slow write: GEOADD, GEORADIUS, GEORADIUSBYMEMBER, GEOSEARCHSTORE
hyperloglog read slow: PFCOUNT
hyperloglog slow write: PFMERGE
read slow stream: XINFO CONSUMERS, XINFO GROUPS, XINFO STREAM, XPENDING, XRANGE, XREVRANGE
scripting slow: EVAL, EVALSHA, EVALSHA_RO, EVAL_RO, FCALL, FCALL_RO, FUNCTION DUMP, FUNCTION HELP, FUNCTION KILL
scripting slow: FUNCTION LIST, FUNCTION STATS, SCRIPT DEBUG, SCRIPT EXISTS, SCRIPT FLUSH, SCRIPT HELP, SCRIPT KILL
scripting slow: SCRIPT LOAD
scripting slow write: FUNCTION DELETE, FUNCTION FLUSH, FUNCTION LOAD, FUNCTION RESTORE
slow: CLUSTER, CLUSTER COUNTKEYSINSLOT, CLUSTER GETKEYSINSLOT, CLUSTER HELP, CLUSTER INFO, CLUSTER KEYSLOT
slow: CLUSTER LINKS, CLUSTER MYID, CLUSTER NODES, CLUSTER SHARDS, CLUSTER SLOTS, FUNCTION, LATENCY, LATENCY HELP
slow: MODULE, MODULE HELP, SCRIPT, XGROUP, XINFO
slow stream: XGROUP HELP, XINFO HELP
slow stream write: XGROUP CREATE, XGROUP CREATECONSUMER, XGROUP DELCONSUMER, XGROUP DESTROY, XGROUP SETID, XTRIM
"""


def _read(lines: str) -> dict[str, list[str]]:
    found = {}
    for line in lines.strip().split("\n"):
        categories, _, names = line.partition(": ")
        found.update(dict.fromkeys(names.split(", "), categories.split()))
    return found


ABSENT: Final = _read(_LINES)
"""Full upper-case name -> categories."""
