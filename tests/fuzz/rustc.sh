#!/bin/sh
# rustc for the farm (RUSTC_WRAPPER): counts branches in our crates only, so that what others wrote runs at full speed
# and draws no attention.
case " $* " in *" --crate-name poterne_"*) exec "$@" ;; esac
for word; do
    shift
    case $word in
        -Cpasses=sancov-module | -Cllvm-args=-sanitizer-coverage-*) ;;
        *) set -- "$@" "$word" ;;
    esac
done
exec "$@"
