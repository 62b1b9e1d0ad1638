# Where the peers are, for ./install and ./run. A family is a library with its drivers, and is
# installed as one; a peer is a family with a method of it, such as optuna-gp.

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/tuned-hpo/bench

families="optuna rustuna hyperopt nevergrad pymoo skopt smac vizier hebo ax goptuna synetune cma"

# methods FAMILY prints the methods of a family; "-" is one without a name.
methods() {
	case $1 in
	optuna) echo gp tpe tpe-group cmaes nsga2 nsga3 random auto sha hyperband ;;
	synetune) echo asha bohb bore ;;
	rustuna | hyperopt) echo tpe ;;
	nevergrad) echo ngopt ;;
	pymoo) echo nsga2 nsga3 ;;
	skopt | vizier) echo gp ;;
	smac) echo hpo blackbox ;;
	hebo) echo - ;;
	ax) echo fast ;;
	goptuna) echo tpe cmaes sobol ;;
	cma) echo pycma ;;
	*) return 1 ;;
	esac
}

# sources FAMILY prints the files that decide what is installed.
sources() {
	case $1 in
	goptuna) ls "$here"/goptuna/go.mod "$here"/goptuna/go.sum "$here"/goptuna/*.go ;;
	*) echo "$here/../requirements-$1.txt" ;;
	esac
}

# place FAMILY prints the folder of its virtual environment, or of its binary. The file "ready" in
# it tells that the installation is complete.
place() {
	local hash
	hash=$(sources "$1" | xargs cat | sha256sum | cut -c1-12)
	case $1 in
	goptuna) echo "$cache/goptuna-$hash" ;;
	*) echo "$cache/venv-$1-$hash" ;;
	esac
}
