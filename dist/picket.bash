# SPDX-License-Identifier: Apache-2.0
# Completion of picket for bash: commands, options (which each command tells by its own --help), ids of containers.
_picket() {
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} command="" at i root=()
    for ((i = 1; i < COMP_CWORD; i++)); do
        case ${COMP_WORDS[i]} in
        --root) root=(--root "${COMP_WORDS[i+1]}"); ((i++)) ;;
        --log | --log-format | --platform) ((i++)) ;;
        -*) ;;
        *) command=${COMP_WORDS[i]}; at=$i; break ;;
        esac
    done
    if [[ -z $command ]]; then
        COMPREPLY=($(compgen -W "$(picket help | sed -n 's/^  \([a-z]*\) .*/\1/p') --root --log --log-format --debug --platform" -- "$word"))
        return
    fi
    case $before in
    --platform) COMPREPLY=($(compgen -W "auto seccomp ptrace" -- "$word")); return ;;
    --bundle | -b | --config | --pid-file | --process | --resources | --log) COMPREPLY=($(compgen -f -- "$word")); return ;;
    --cwd | --root | --bind) COMPREPLY=($(compgen -d -- "$word")); return ;;
    esac
    if [[ $word == -* ]]; then
        COMPREPLY=($(compgen -W "$(picket "$command" --help 2>/dev/null | grep -o -- '--[a-z][a-z-]*' | sort -u)" -- "$word"))
        return
    fi
    case $command in
    do) COMPREPLY=($(compgen -c -- "$word")) ;;
    install) COMPREPLY=($(compgen -W "docker podman containerd" -- "$word")) ;;
    create | run | spec | features | help | version) ;;
    *) COMPREPLY=($(compgen -W "$(picket "${root[@]}" list --quiet 2>/dev/null)" -- "$word")) ;;
    esac
}
complete -F _picket picket
