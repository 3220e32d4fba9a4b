package plots

import (
	"fmt"
	"io"
	"math"
	"math/bits"
	"slices"
	"time"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Histogram is a picture of how often a time was how long: a row of bars for each series, all with the
// same axis. Each bar stands for the times between two powers of two of a microsecond.
type Histogram struct {
	Name   string // of its files
	Title  string
	Series []Series
}

// Series is the times of one row.
type Series struct {
	Heading string
	Times   []time.Duration // at least one
}

func (h Histogram) files() string { return h.Name }
func (h Histogram) alt() string   { return h.Title }

// bucket returns the number of the bar of a time: n is from 2^(n-1) to below 2^n µs, the first is of
// times below one.
func bucket(d time.Duration) int { return bits.Len64(uint64(max(d, 0) / time.Microsecond)) }

const seriesUp = 2.8 * vg.Centimeter // height of a row

func (h Histogram) draw(w io.Writer, s style) error {
	first, last := bucket(1<<62), 0
	for _, row := range h.Series {
		for _, d := range row.Times {
			first, last = min(first, bucket(d)), max(last, bucket(d))
		}
	}
	rows := make([][]*plot.Plot, len(h.Series))
	for i, row := range h.Series {
		p, err := row.plot(s, first, last)
		if err != nil {
			return err
		}
		if i < len(h.Series)-1 { // the axis stands below the last
			p.X.Tick.Label.Color = s.paper
		}
		rows[i] = []*plot.Plot{p}
	}
	canvas, inside := s.canvas(margin + vg.Length(len(rows))*seriesUp)
	title := s.plot(h.Title).Title
	inside.FillText(title.TextStyle, vg.Point{X: inside.Center().X, Y: inside.Max.Y}, title.Text)
	inside = draw.Crop(inside, 0, 0, 0, -vg.Centimeter)
	for i, c := range plot.Align(rows, draw.Tiles{Rows: len(rows), Cols: 1, PadY: vg.Points(6)}, inside) {
		rows[i][0].Draw(c[0])
	}
	_, err := canvas.WriteTo(w)
	return err
}

// plot returns the row, with an axis from the first bar to the last.
func (row Series) plot(s style, first, last int) (*plot.Plot, error) {
	counts := make([]int, last+1)
	for _, d := range row.Times {
		counts[bucket(d)]++
	}
	times := slices.Sorted(slices.Values(row.Times))
	p := s.plot(fmt.Sprintf("%s: %d times, %v to %v, half within %v", row.Heading, len(times),
		Round(times[0]), Round(times[len(times)-1]), Round(times[len(times)/2])))
	p.Title.TextStyle.Font = font.From(font.Font{Variant: sans}, vg.Points(10))
	p.X.Min, p.X.Max, p.Y.Min, p.Y.Max = float64(first), float64(last+1), 0, 1
	p.X.Tick.Marker, p.Y.Tick.Marker = decades(first, last), plot.ConstantTicks{}
	most := slices.Max(counts)
	for i, n := range counts {
		if n == 0 {
			continue
		}
		x, y := float64(i), max(float64(n)/float64(most), 0.02) // a single one among thousands is seen
		bar, err := plotter.NewPolygon(plotter.XYs{{X: x + 0.04, Y: 0}, {X: x + 0.96, Y: 0}, {X: x + 0.96, Y: y}, {X: x + 0.04, Y: y}})
		if err != nil {
			return nil, err
		}
		bar.Color, bar.LineStyle.Width = s.ours, 0
		p.Add(bar)
	}
	return p, nil
}

// decades returns the powers of ten from the left end of the first bar to the right end of the last.
func decades(first, last int) plot.ConstantTicks {
	var ticks plot.ConstantTicks
	for d := time.Microsecond; ; d *= 10 {
		x := math.Log2(float64(d/time.Microsecond)) + 1
		if x > float64(last+1) {
			return ticks
		}
		if x >= float64(first) {
			ticks = append(ticks, plot.Tick{Value: x, Label: d.String()})
		}
	}
}

// Round returns the time with three digits that count.
func Round(d time.Duration) time.Duration {
	unit := time.Duration(1)
	for d.Abs() >= 1000*unit {
		unit *= 10
	}
	return d.Round(unit)
}
