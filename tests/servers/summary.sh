#!/bin/sh
# Prints which parts took part in a run of the tests, from the roster that the tests wrote.
# usage: summary.sh ROSTER
[ -s "$1" ] || { echo 'No test said which parts it ran on.'; exit 0; }
printf '\nParts of this run:\n'
sort "$1" | uniq -c | awk '{
    times = ($1 > 1) ? "  (" $1 " times)" : ""
    sub(/^ *[0-9]+ /, "")
    split($0, field, "\t")
    printf "  %-8s  %s: %s%s\n", field[1], field[2], field[3], times
}'
