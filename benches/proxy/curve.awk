# In: lines of `CURVE:X round contestant cpu_us ...` of one curve. Out: a table in Markdown of medians over the rounds, and in the
# file SVG a picture of it: X on a logarithmic axis, from zero upwards what a request costs.
# TITLE, AXIS (what X is), UNIT (of the cost), NAMES in the order of the table.

{
    split($1, part, ":")
    x = part[2]
    if (!((x) in known)) { known[x] = 1; xs[++points] = x }
    seen[$3] = 1
    value[$3, x, ++rounds[$3, x]] = $4
}

END {
    count = split(NAMES, all, " ")
    for (i = 1; i <= count; i++) if (all[i] in seen) name[++names] = all[i]
    table()
    picture()
}

function table(    i, j) {
    printf "### %s\n\n![%s](%s)\n\n| %s |", TITLE, TITLE, file_name(SVG), AXIS
    for (i = 1; i <= names; i++) printf " %s, %s |", name[i], UNIT
    printf "\n|--:|"
    for (i = 1; i <= names; i++) printf "--:|"
    printf "\n"
    for (j = 1; j <= points; j++) {
        printf "| %s |", thousands(xs[j])
        for (i = 1; i <= names; i++) printf " %s |", (name[i], xs[j], 1) in value ? sprintf("%.1f", middle(name[i], xs[j])) : ""
        printf "\n"
    }
    printf "\n"
}

function picture(    i, j, m, top, left, width, height, base, path, step, colour) {
    split("#1f6f4a #b5482f #4a5fa5 #8a6d1f", colour, " ")
    left = 70; width = 560; height = 280; base = 330
    top = top_of()
    step = nice(top / 6)
    printf "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 720 390\" font-family=\"sans-serif\" font-size=\"13\">\n" >SVG
    printf "<rect width=\"720\" height=\"390\" fill=\"white\"/>\n<text x=\"%d\" y=\"26\" font-size=\"16\">%s</text>\n", left, TITLE >SVG
    for (m = 0; m <= top; m += step) {
        printf "<line x1=\"%d\" x2=\"%d\" y1=\"%.1f\" y2=\"%.1f\" stroke=\"#ddd\"/>", left, left + width, up(m), up(m) >SVG
        printf "<text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%s</text>\n", left - 8, up(m) + 4, thousands(m) >SVG
    }
    for (j = 1; j <= points; j++)
        printf "<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%s</text>\n", along(xs[j]), base + 20, thousands(xs[j]) >SVG
    printf "<text x=\"%d\" y=\"%d\" text-anchor=\"middle\">%s</text>\n", left + width / 2, base + 44, AXIS >SVG
    printf "<text x=\"18\" y=\"%d\" text-anchor=\"middle\" transform=\"rotate(-90 18 %d)\">%s</text>\n", base - height / 2, base - height / 2, UNIT >SVG
    for (i = 1; i <= names; i++) {
        path = ""
        for (j = 1; j <= points; j++)
            if ((name[i], xs[j], 1) in value) {
                path = path sprintf("%.1f,%.1f ", along(xs[j]), up(middle(name[i], xs[j])))
                printf "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"3\" fill=\"%s\"/>", along(xs[j]), up(middle(name[i], xs[j])), colour[i] >SVG
            }
        printf "<polyline points=\"%s\" fill=\"none\" stroke=\"%s\" stroke-width=\"2\"/>\n", path, colour[i] >SVG
        printf "<text x=\"%d\" y=\"%d\" fill=\"%s\">%s</text>\n", left + 10 + 130 * (i - 1), 46, colour[i], name[i] >SVG
    }
    print "</svg>" >SVG
}

# Places on the paper.
function up(cost) { return 330 - 270 * cost / top_of() }

function top_of(    i, j, m, top, step) {
    if (TOP) return TOP
    for (i = 1; i <= names; i++)
        for (j = 1; j <= points; j++)
            if ((name[i], xs[j], 1) in value && (m = middle(name[i], xs[j])) > top) top = m
    step = nice(top / 6)
    return TOP = step * (int(top / step) + 1)
}

function along(x) { return points == 1 ? 350 : 90 + 520 * log(x / xs[1]) / log(xs[points] / xs[1]) }

# The next of 1, 2, 5, 10, 20...
function nice(least,    unit) {
    for (unit = 1; unit * 10 <= least; unit *= 10);
    return least <= unit ? unit : least <= 2 * unit ? 2 * unit : least <= 5 * unit ? 5 * unit : 10 * unit
}

function thousands(n) { return n >= 1000 ? thousands(int(n / 1000)) "," sprintf("%03d", n % 1000) : n }

function file_name(path) { sub(/.*\//, "", path); return path }

function middle(who, x,    n, i, j, held, list) {
    n = rounds[who, x]
    for (i = 1; i <= n; i++) list[i] = value[who, x, i] + 0
    for (i = 2; i <= n; i++) {
        held = list[i]
        for (j = i - 1; j >= 1 && list[j] > held; j--) list[j + 1] = list[j]
        list[j + 1] = held
    }
    return n % 2 ? list[(n + 1) / 2] : (list[n / 2] + list[n / 2 + 1]) / 2
}
