#!/bin/sh
# Runs every fuzz target for SECONDS, one after the other: `fuzz/run.sh SECONDS [TARGET..]`.
#
# Prints one line a target and fails if one crashed; the input stays in fuzz/artifacts/TARGET. libFuzzer is built with
# the flags that `cargo fuzz build --sanitizer none` uses, all of which the stable compiler knows, so that neither a
# nightly compiler nor cargo-fuzz is needed. With SANITIZER=address both are, and memory is watched as well.
set -eu
cd "$(dirname "$0")"

seconds=${1:?write \`fuzz/run.sh SECONDS [TARGET..]\`}
shift
sanitizer=${SANITIZER:-none}
host=$(rustc -vV | sed -n 's/^host: //p')
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$PWD/target}"

skip() {
    echo "fuzz: skipped: $1"
    exit 0
}

command -v c++ > /dev/null || skip 'libFuzzer needs a C++ compiler (`c++`)'
if [ "$sanitizer" = none ]; then
    flags='-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4'
    flags="$flags -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table"
    flags="$flags -Cllvm-args=-sanitizer-coverage-trace-compares --cfg fuzzing"
    RUSTFLAGS="$flags" cargo build --quiet --locked --release --target "$host" --bins
else
    rustup run nightly rustc --version > /dev/null 2>&1 || skip "no nightly compiler for SANITIZER=$sanitizer"
    command -v cargo-fuzz > /dev/null || skip "no cargo-fuzz for SANITIZER=$sanitizer; \`cargo install cargo-fuzz\`"
    (cd .. && RUSTUP_TOOLCHAIN=nightly cargo fuzz build --target-dir "$CARGO_TARGET_DIR" --sanitizer "$sanitizer")
fi
sh ./seeds.sh

# Of a log of libFuzzer, the last number of a name.
number() {
    sed -n "s/^stat::$1: *//p" "$2" | tail -1
}

artifacts_of() {
    find "artifacts/$1" -type f | wc -l
}

[ $# -gt 0 ] || set -- $(cd fuzz_targets && ls -- *.rs | sed 's/\.rs$//')
status=0
for target; do
    mkdir -p "corpus/$target" "artifacts/$target"
    # Formats of many parts need room; elsewhere what is small finds more in the same time.
    case $target in
    feeds | mirror) bytes_max=40000 ;;
    bundle | cosign_object | evidence_bundle | executable | gcb_file | java_archive | layer | rpm_* | tar) bytes_max=20000 ;;
    *) bytes_max=8000 ;;
    esac
    log="artifacts/$target.log"
    before=$(artifacts_of "$target")
    began=$(date +%s)
    result=0
    "$CARGO_TARGET_DIR/$host/release/$target" "corpus/$target" -max_total_time="$seconds" -timeout=10 \
        -rss_limit_mb=2048 -max_len=$bytes_max -artifact_prefix="artifacts/$target/" -print_final_stats=1 \
        > "$log" 2>&1 || result=$?
    findings=$(($(artifacts_of "$target") - before))
    executions=$(number number_of_executed_units "$log")
    echo "$target: ${executions:-0} executions, $(($(date +%s) - began)) seconds, $findings new findings"
    if [ $result -ne 0 ] || [ $findings -ne 0 ]; then
        status=1
        echo "  see fuzz/$log and fuzz/artifacts/$target"
    fi
done
exit $status
