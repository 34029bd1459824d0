# shellcheck shell=bash
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
#
# What the guest's scripts share. A "port" is the far end of a node's cable: it lies in the namespace `wires`,
# where one bridge for each link joins the ports, and where links are cut and shaped. So hosts' devices stay clean.
# $STATE/link.LINK holds up, cut or black-holed; $STATE/shape.PORT the netem parameters of what leaves towards the node.
export PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C
STATE=/run/lab

say() {
    local uptime
    read -r uptime _ < /proc/uptime
    echo "[lab $uptime] $*" > /dev/console
}

# What is to leave PORT (into $shape): netem parameters, or nothing when it is unshaped.
shape_of() {
    local state
    shape=
    read -r state < "$STATE/link.${1%.*}"
    if [ "$state" = black-holed ]; then
        shape="loss 100%"
    elif [ -e "$STATE/shape.$1" ]; then
        read -r shape < "$STATE/shape.$1"
    fi
}

# Brings ports into the state that $STATE says. New ports have no queue that could be in the way.
apply_ports() {
    local port state shape
    for port in "$@"; do
        read -r state < "$STATE/link.${port%.*}"
        if [ "$state" = cut ]; then echo "link set dev $port down"; else echo "link set dev $port up"; fi
    done | ip -n wires -batch -
    for port in "$@"; do
        shape_of "$port"
        if [ -n "$shape" ]; then
            echo "qdisc replace dev $port root netem $shape"
            : > "$STATE/shaped.$port"
        elif [ -e "$STATE/shaped.$port" ]; then
            echo "qdisc del dev $port root"
            rm -f "$STATE/shaped.$port"
        fi
    done | tc -n wires -batch -
}

# Gives nodes fresh network namespaces and plugs their cables in. Few processes: each costs 10 to 20 ms here.
plug() {
    local node port ports=() more
    {
        for node in "$@"; do echo "netns add $node"; done
        for node in "$@"; do echo "$(< "/lab/net/$node.cables")"; done
    } | ip -batch -
    for node in "$@"; do echo "$(< "/lab/net/$node.wires")"; done | ip -n wires -batch -
    for node in "$@"; do
        read -ra more < "/lab/net/$node.ports"
        ports+=("${more[@]}")
    done
    rm -f "${ports[@]/#/$STATE/shaped.}"
    apply_ports "${ports[@]}"
}

# Pulls the cables of host NODE out and drops its network namespace. Cables first: the namespace goes in its own time.
unplug() {
    local node=$1 ports port
    read -ra ports < "/lab/net/$node.ports"
    for port in "${ports[@]}"; do echo "link del $port"; done | ip -n wires -force -batch -
    ip link del "m.$node"
    ip netns del "$node"
}

boots() {
    local count=0
    [ -e "$STATE/boots.$1" ] && read -r count < "$STATE/boots.$1"
    echo "$count"
}

# Waits until host NODE has booted more than BOOTS times and sshd listens.
wait_for_boot() {
    local node=$1 before=$2 leader
    until [ "$(boots "$node")" -gt "$before" ] && leader=$(leader "$node") && listens "$leader"; do
        sleep 0.2
    done
}

# Says whether port 22 is open in the network namespace of process PID; early on, a container is still in the machine's.
listens() {
    local line
    [ "/proc/$1/ns/net" -ef /proc/self/ns/net ] && return 1
    while read -r line; do
        case $line in *:0016\ 00000000:0000\ 0A*) return 0 ;; esac
    done < "/proc/$1/net/tcp"
    return 1
}

# Process id (in the machine) of process 1 of host NODE.
leader() {
    local nspawn children=
    read -r nspawn < "$STATE/nspawn.$1" || return
    read -r children < "/proc/$nspawn/task/$nspawn/children"
    [ -n "$children" ] && echo "${children%% *}"
} 2> /dev/null
