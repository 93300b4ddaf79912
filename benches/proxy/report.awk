# In: lines of `scenario round contestant cpu_us requests_per_second p50_us p99_us core_percent` of one scenario.
# Out: a table in Markdown, medians over the rounds with their spread (min..max), and the median of the ratio to HAProxy and to
# the relay in the same round. Then a line of each goal: `goal SCENARIO WHAT ASKED REACHED`.
#
# TITLE; NAMES in the order of the table; GOALS as in scenarios.sh; PEERS, the names that "best" may mean; ADIT, whose goals they are.

{
    seen[$3] = 1
    if ($2 > rounds) rounds = $2
    for (field = 4; field <= 8; field++) value[$3, field, $2] = $field
    scenario = $1
}

END {
    contestants = split(NAMES, order, " ")
    printf "### %s\n\n", TITLE
    printf "| | CPU us | of HAProxy's |%s per second | p50 us | p99 us | core |\n", "relay" in seen ? " of the relay's |" : ""
    printf "|---|--:|--:|%s--:|--:|--:|--:|\n", "relay" in seen ? "--:|" : ""
    for (i = 1; i <= contestants; i++) {
        name = order[i]
        if (!(name in seen)) continue
        printf "| %s | %s | %s |%s %s | %s | %s | %.0f%% |\n", name, spread(name, 4, "%.2f"), against(name, "haproxy"),
            "relay" in seen ? " " against(name, "relay") " |" : "", spread(name, 5, "%.0f"), spread(name, 6, "%.0f"),
            spread(name, 7, "%.0f"), middle(name, 8)
    }
    print ""
    count = split(GOALS, goal, " ")
    for (i = 1; i <= count; i++) {
        split(goal[i], part, ":")
        whom = part[2] == "best" ? best() : part[2]
        if (!(whom in seen) || !(ADIT in seen)) continue
        field = part[1] == "p99" ? 7 : 4
        asked = part[1] == "p99" ? 1 : part[1]
        reached = ratio(ADIT, whom, field)
        printf "goal\t%s%s, of %s\t%.2f\t%.2f\t%s\n", TITLE, field == 7 ? ", p99" : "", whom, asked, reached,
            reached <= asked ? "yes" : "**no**"
    }
}

function best(    i, n, peers, least) {
    n = split(PEERS, peers, " ")
    for (i = 1; i <= n; i++)
        if (peers[i] in seen && (!least || middle(peers[i], 4) < middle(least, 4))) least = peers[i]
    return least
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
    if (rounds == 1) return sprintf(form, m)
    return sprintf(form " (" form "..." form ")", m, list[1], list[rounds])
}

function ratio(name, base, field,    r) {
    for (r = 1; r <= rounds; r++) list[r] = value[name, field, r] / value[base, field, r]
    return median(rounds)
}

function against(name, base) {
    return base in seen ? sprintf("%.2f", ratio(name, base, 4)) : ""
}
