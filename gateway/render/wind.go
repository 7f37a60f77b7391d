package render

import (
	"fmt"
	"strconv"
	"strings"
)

// ends are the two ends of a range, "12-14", or a number twice; false if it is
// neither.
func ends(v string) (lo, hi float64, ok bool) {
	first, last, two := strings.Cut(v, "-")
	if !two {
		last = first
	}
	lo, errA := strconv.ParseFloat(first, 64)
	hi, errB := strconv.ParseFloat(last, 64)
	return lo, hi, errA == nil && errB == nil
}

// windFits refuses a speed that is not of its wind levels (annex III of
// Decision 18/2021/QĐ-TTg). Values that are none are refused by themselves.
func windFits(wind, kmh string) error {
	lo, hi, ok := ends(kmh)
	if !ok || speeds(wind) == "" {
		return nil
	}
	a, b, _ := ends(wind)
	low, high := levelSpeeds[int(a)], levelSpeeds[int(b)]
	if lo >= float64(low[0]) && lo <= float64(low[1]) && hi >= float64(high[0]) && hi <= float64(high[1]) ||
		a == b && lo >= float64(low[0]) && hi <= float64(high[1]) {
		return nil
	}
	return fmt.Errorf("%q is not the speed of wind %s, which is %s km/h; leave it out and Loa writes it", kmh, wind, speeds(wind))
}

// gustFits refuses a gust below the wind.
func gustFits(wind, gust string) error {
	if speeds(wind) == "" || !gustRule.MatchString(gust) {
		return nil
	}
	_, strongest, _ := ends(wind)
	_, most, _ := ends(strings.TrimPrefix(gust, ">"))
	if most < strongest {
		return fmt.Errorf("%q is below the wind, which reaches level %s", gust, strconv.Itoa(int(strongest)))
	}
	return nil
}
