set -euo pipefail
set -m # what runs in the background is a group of its own
unset XDG_STATE_HOME

# The programs, of which a daemon takes a port that is free: the one of the documentation may not be.
mkdir bin
printf '#!/bin/sh\n[ "${1-}" != serve ] || set -- "$@" --listen 127.0.0.1:0\nexec "%s" "$@"\n' "$PROGRAMS/tuned" >bin/tuned
chmod +x bin/tuned
PATH=$PWD/bin:$PROGRAMS:$PATH

# background runs the commands of its input, a daemon or an experiment that is asked for its trials, until all others are
# done, and returns when it is ready.
background() {
	local line script
	script=$(cat)
	mkfifo ready
	bash -c "$script" </dev/null &>ready &
	exec 9<ready
	while IFS= read -r line <&9; do
		echo "$line"
		[[ $line != *'"ready"'* && $line != *' running, '* ]] || break
	done
	cat <&9 &
	exec 9<&-
}

end() {
	local job
	for job in $(jobs -p); do
		kill -TERM -- "-$job" 2>/dev/null || true
	done
	wait
}
trap end EXIT
