#!/bin/sh
# Builds the fuzz targets with coverage and runs each for FUZZ_SECONDS (60), two at a time, from fuzz/corpus. What they
# learn goes to target/fuzz/learnt; an input that is a finding to target/fuzz/findings, and its path is printed.
set -u
cd "$(dirname "$0")/.." || exit 1
: "${FUZZ_SECONDS:=60}" "${CARGO:=cargo}" "${CXX:=c++}"

if ! command -v "$CXX" >/dev/null 2>&1; then
    echo "make fuzz is skipped: libFuzzer is C++, and there is no '$CXX'" >&2
    exit 0
fi

# The shared object, which is built beside the library, finds what the fuzzer brings only in a program that links it.
flags='-Cpasses=sancov-module
    -Cllvm-args=-sanitizer-coverage-level=4
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters
    -Cllvm-args=-sanitizer-coverage-pc-table
    -Cllvm-args=-sanitizer-coverage-trace-compares
    -Clink-arg=-Wl,--unresolved-symbols=ignore-all'
# With a target named, build scripts and macros are left without instruments.
machine=$(rustc -vV | sed -n 's/^host: //p')
RUSTFLAGS=$(echo "$flags" | tr -s '\n ' ' ') "$CARGO" build --release --manifest-path fuzz/Cargo.toml \
    --target "$machine" --target-dir target/fuzz || exit 1

programs=target/fuzz/$machine/release
mkdir -p target/fuzz/findings

# Runs one target; leaves its verdict in a file.
try() {
    mkdir -p "target/fuzz/learnt/$1"
    "$programs/$1" -max_total_time="$FUZZ_SECONDS" -max_len=65536 -timeout=10 -rss_limit_mb=2048 \
        -print_final_stats=1 -artifact_prefix="target/fuzz/findings/$1-" \
        "target/fuzz/learnt/$1" "fuzz/corpus/$1" >"target/fuzz/$1.log" 2>&1
    echo $? >"target/fuzz/$1.status"
}

failed=0
set -- $(sed -n 's|^path = "targets/\(.*\)\.rs"|\1|p' fuzz/Cargo.toml)
while [ $# -gt 0 ]; do
    first=$1
    second=${2-}
    shift
    [ -z "$second" ] || shift
    try "$first" &
    [ -z "$second" ] || try "$second"
    wait
    for target in $first $second; do
        log=target/fuzz/$target.log
        runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
        reached=$(sed -n 's/.* \(cov: [0-9]* ft: [0-9]*\) .*/\1/p' "$log")
        first_reached=$(echo "$reached" | head -n 1)
        last_reached=$(echo "$reached" | tail -n 1)
        case $(cat "target/fuzz/$target.status") in
        0) echo "fuzz $target: ${runs:-no} runs without a finding; $first_reached, then $last_reached" ;;
        *)
            failed=1
            tail -n 40 "$log"
            echo "fuzz $target: a finding, see above; inputs of findings are in $PWD/target/fuzz/findings"
            ;;
        esac
    done
done
exit $failed
