package debug

import "github.com/lockkeeper/lockkeeper/manager"

// A chart draws a histogram, a bar for each bucket.
type chart struct {
	Title            string
	Width            int
	Bars             []bar
	From, Middle, To string
}

type bar struct {
	X, Y, Height int
	Title        string
}

const (
	barStep   = 10
	barHeight = 70
)

func newChart(title string, h *manager.Histogram) *chart {
	bounds := manager.BucketBounds()
	c := &chart{
		Title: title, Width: barStep * manager.Buckets, From: human(bounds[0]), Middle: human(bounds[len(bounds)/2]),
		To: "over " + human(bounds[len(bounds)-1]),
	}
	below := make([]string, 0, len(bounds))
	for _, d := range bounds {
		below = append(below, "below "+human(d))
	}
	top := uint64(1)
	for _, n := range h.Buckets {
		top = max(top, n)
	}
	for i, n := range h.Buckets {
		if n == 0 {
			continue
		}
		height := 2 + int(float64(barHeight-2)*float64(n)/float64(top))
		text := "longer"
		if i < len(below) {
			text = below[i]
		}
		c.Bars = append(c.Bars, bar{barStep*i + 1, barHeight - height, height, text + ": " + count(n)})
	}
	return c
}
