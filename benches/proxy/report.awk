# In: lines of `round contestant cpu_us requests_per_second p50_us p99_us core_percent`.
# Out: medians with their spread (min..max), and the median over the rounds of the ratio to BASE in the same round.
# UNIT: what was counted, a request if nothing else. TARGET: at most so much of the CPU of BASE, if there is one.

{
    if (!($2 in seen)) { seen[$2] = 1; order[++contestants] = $2 }
    if ($1 > rounds) rounds = $1
    for (field = 3; field <= 7; field++) value[$2, field, $1] = $field
}

END {
    if (!UNIT) UNIT = "request"
    printf "%-14s  %-22s  %-26s  %-16s  %-18s  %6s  %8s  %8s\n", "", "CPU us/" UNIT, UNIT "s/s", "p50 us", "p99 us",
        "core", "CPU", "req/s"
    for (i = 1; i <= contestants; i++) {
        name = order[i]
        printf "%-14s  %-22s  %-26s  %-16s  %-18s  %5.0f%%  %7.2fx  %7.2fx\n", name, spread(name, 3, "%.2f"),
            spread(name, 4, "%.0f"), spread(name, 5, "%.0f"), spread(name, 6, "%.0f"), middle(name, 7), ratio(name, 3),
            ratio(name, 4)
    }
    printf "\nMedians of %d rounds (min..max). The last two columns are ratios to %s, round by round.\n", rounds, BASE
    if (!TARGET) exit
    printf "Target: at most %.2f of the CPU of %s.", TARGET, BASE
    for (i = 1; i <= contestants; i++) {
        name = order[i]
        if (index(name, BASE) != 1) printf " %s %s.", name, ratio(name, 3) <= TARGET ? "meets it" : "misses it"
    }
    printf "\n"
}

function sort(n,    i, j, held) {
    for (i = 2; i <= n; i++) {
        held = list[i]
        for (j = i - 1; j >= 1 && list[j] > held; j--) list[j + 1] = list[j]
        list[j + 1] = held
    }
}

function median(n) {
    sort(n)
    return n % 2 ? list[(n + 1) / 2] : (list[n / 2] + list[n / 2 + 1]) / 2
}

function middle(name, field,    r) {
    for (r = 1; r <= rounds; r++) list[r] = value[name, field, r] + 0
    return median(rounds)
}

function spread(name, field, form,    m) {
    m = middle(name, field)
    return sprintf(form " (" form ".." form ")", m, list[1], list[rounds])
}

function ratio(name, field,    r) {
    for (r = 1; r <= rounds; r++) list[r] = value[name, field, r] / value[BASE, field, r]
    return median(rounds)
}
