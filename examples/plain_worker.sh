#!/bin/sh
# A worker with nothing but redis-cli: it claims jobs with BLPOP, reads them with GET and ends them with SET.
# usage: plain_worker.sh TOPIC [redis-cli options]; works until it is interrupted.
#
# The connection that claimed a job holds it, so one redis-cli runs the whole session: its input and output are pipes.
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
    echo "job $id: $job" >&2
    # The work: here, the length of what redis-cli shows of the job.
    echo "SET herojobs:$topic:$id '{\"state\":\"done\",\"result\":\"${#job} characters\"}'" >&3
    read -r answer <&4 || exit 0
    [ "$answer" = OK ] || echo "job $id: $answer" >&2
done
