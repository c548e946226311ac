#!/bin/sh
# A worker with nothing but redis-cli: it claims jobs with BLPOP, reads them with GET and ends them with SET.
# usage: [WORK=COMMAND] plain_worker.sh TOPIC [redis-cli options]; works until it is interrupted.
# COMMAND gets the job as a line of JSON and prints the result; a status other than 0 is a failure. Default: wc -c
#
# The connection that claimed a job holds it, so one redis-cli runs the whole session: its input and output are pipes.
# When this script dies, redis-cli ends, and the server gives the job back.
topic=$1
shift
folder=$(mktemp -d)
mkfifo "$folder/in" "$folder/out"
redis-cli "$@" <"$folder/in" >"$folder/out" &
exec 3>"$folder/in" 4<"$folder/out"
rm -r "$folder"

while :; do
    echo "BLPOP heroqueue:$topic 0" >&3
    read -r _queue <&4 || exit 0
    read -r id <&4 || exit 0
    echo "GET herojobs:$topic:$id" >&3
    read -r job <&4 || exit 0
    # The pipes stay ours: a command that outlived us would hold redis-cli, and with it the job.
    if result=$(exec 3>&- 4<&-; printf '%s\n' "$job" | sh -c "${WORK:-wc -c}"); then
        outcome="\"done\",\"result\""
    else
        outcome="\"error\",\"error\"" result="exit status $?"
    fi
    result=$(printf '%s' "$result" | tr '\n\t' '  ' | tr -d "\"'\\\\[:cntrl:]") # what needs no quoting in JSON and redis-cli
    echo "SET herojobs:$topic:$id '{\"state\":${outcome}:\"$result\"}'" >&3
    read -r answer <&4 || exit 0
    echo "job $id: $result: $answer" >&2
done
