# bash completion for procd(8). The program itself knows what can come next; this only asks it.
# shellcheck shell=bash

_procd() {
	local rest=$COMP_LINE trimmed piece cur cut word name prefix i
	local -a words=()

	# bash broke words at '=', ':' and '@', too: what has no blank before it belongs together
	for ((i = 0; i <= COMP_CWORD; i++)); do
		piece=${COMP_WORDS[i]}
		trimmed=${rest#"${rest%%[![:space:]]*}"}
		if ((i > 0)) && [[ $trimmed == "$rest" ]]; then
			words[${#words[@]} - 1]+=$piece
		else
			words+=("$piece")
		fi
		rest=${trimmed#"$piece"}
	done
	cur=${words[-1]}
	unset 'words[-1]'
	name=${words[0]/#\~/$HOME}

	# bash replaces only what is behind the last of those characters, '@' with it
	cut=''
	for ((i = ${#cur} - 1; i >= 0; i--)); do
		piece=${cur:i:1}
		[[ $COMP_WORDBREAKS == *"$piece"* ]] || continue
		[[ $piece == @ ]] || ((i++))
		cut=${cur:0:i}
		break
	done
	COMPREPLY=()
	while IFS= read -r word; do
		case $word in
		:files*)
			prefix=${word#:files }
			compopt -o filenames
			while IFS= read -r word; do
				word=$prefix$word
				COMPREPLY+=("${word#"$cut"}")
			done < <(compgen -f -- "${cur#"$prefix"}")
			;;
		:commands)
			while IFS= read -r word; do
				COMPREPLY+=("$word")
			done < <(compgen -c -- "$cur")
			;;
		*)
			word=${word%%$'\t'*}
			[[ $word == *= ]] && compopt -o nospace
			COMPREPLY+=("${word#"$cut"}")
			;;
		esac
	done < <("$name" complete --word "$cur" -- "${words[@]:1}" 2>/dev/null)
}

complete -F _procd procd
