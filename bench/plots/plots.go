// Package plots draws what a run of the benchmarks or of the torture has measured, as SVG files for a
// light and for a dark page.
package plots

import (
	"errors"
	"fmt"
	"image/color"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"

	"github.com/lockkeeper/lockkeeper/bench/harness"
)

// Picture is a [Chart] or a [Histogram].
type Picture interface {
	files() string // what their names begin with: -light.svg and -dark.svg follow
	alt() string   // what it shows, for those who do not see it
	draw(w io.Writer, s style) error
}

// Chart is a picture of bars.
type Chart struct {
	Name   string // of its files, after bench-
	Title  string
	Groups []Group
}

// Group is a set of bars under a heading of its own: one figure of each side of a case.
type Group struct {
	Heading string
	Bars    []Bar
}

// Bar is the figure of one side.
type Bar struct {
	Side   string
	Ours   bool
	Figure harness.Spread
}

// Charts returns the pictures that the outcomes are enough for. A group without figures is left
// out, and so is a chart without groups.
func Charts(outs []harness.Outcome) []Chart {
	var charts []Chart
	for _, c := range catalogue {
		chart := Chart{Name: c.name, Title: c.title}
		for _, s := range c.shown {
			if bars := s.bars(outs, c.unit); len(bars) > 0 {
				chart.Groups = append(chart.Groups, Group{Heading: s.heading, Bars: bars})
			}
		}
		if len(chart.Groups) > 0 {
			charts = append(charts, chart)
		}
	}
	return charts
}

// bars returns the figure of each side of the case, as far as the sides have it. Ours are those that
// a check judges.
func (s shown) bars(outs []harness.Outcome, unit float64) []Bar {
	i := slices.IndexFunc(outs, func(o harness.Outcome) bool { return o.Suite == s.suite && o.Case.Name == s.name })
	if i < 0 {
		return nil
	}
	o := outs[i]
	var bars []Bar
	for _, side := range o.Case.Sides {
		var values []float64
		for _, round := range o.Rounds {
			if v, ok := round[side.Name][s.metric]; ok {
				values = append(values, v/unit)
			}
		}
		if len(values) > 0 {
			ours := slices.ContainsFunc(o.Case.Checks, func(c harness.Check) bool { return c.Ours == side.Name })
			bars = append(bars, Bar{Side: side.Name, Ours: ours, Figure: harness.NewSpread(values)})
		}
	}
	return bars
}

func (c Chart) files() string { return "bench-" + c.Name }
func (c Chart) alt() string   { return c.Title }

// Write draws each picture into dir, light and dark. It makes the folder if there is none.
func Write[P Picture](dir string, pictures []P) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for _, p := range pictures {
		for name, s := range map[string]style{"light": light, "dark": dark} {
			file := filepath.Join(dir, p.files()+"-"+name+".svg")
			if err := write(file, p, s); err != nil {
				return fmt.Errorf("plot %q: %w", file, err)
			}
		}
	}
	return nil
}

func write(name string, p Picture, s style) (err error) {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return p.draw(f, s)
}

// Markdown shows each picture, for a page in a folder from which dir leads to the files.
func Markdown[P Picture](w io.Writer, dir string, pictures []P) error {
	var b strings.Builder
	for _, p := range pictures {
		fmt.Fprintf(&b, "\n<picture><source media=\"(prefers-color-scheme: dark)\" srcset=\"%[1]s/%[2]s-dark.svg\">"+
			"<img alt=%[3]q src=\"%[1]s/%[2]s-light.svg\"></picture>\n", dir, p.files(), p.alt())
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// style is a set of colours.
type style struct{ paper, ink, faint, ours, other color.Color }

var (
	light = style{
		paper: color.White, ink: color.Gray{0x20}, faint: color.Gray{0xd8},
		ours: color.NRGBA{0x0b, 0x6e, 0x99, 0xff}, other: color.Gray{0xa8},
	}
	dark = style{
		paper: color.NRGBA{0x0d, 0x11, 0x17, 0xff}, ink: color.Gray{0xe0}, faint: color.Gray{0x38},
		ours: color.NRGBA{0x4f, 0xb3, 0xd9, 0xff}, other: color.Gray{0x6a},
	}
)

const (
	sans   = "Sans"
	width  = 18 * vg.Centimeter
	rowUp  = 0.62 * vg.Centimeter
	margin = 2.5 * vg.Centimeter // title, axis and border
	border = 0.5 * vg.Centimeter
)

// draw writes the chart as horizontal bars, the first at the top: the median, a whisker from the
// smallest to the largest, and the median in figures.
func (c Chart) draw(w io.Writer, s style) error {
	p := s.plot(c.Title)
	p.X.Min = 0
	p.Y.Tick.Label.XAlign = text.XRight

	var ticks plot.ConstantTicks
	rows := 0
	for _, g := range c.Groups {
		rows += len(g.Bars)
		if g.Heading != "" {
			rows++
		}
	}
	y := float64(rows)
	most := 0.0
	for _, g := range c.Groups {
		if g.Heading != "" {
			y--
			ticks = append(ticks, plot.Tick{Value: y, Label: g.Heading + ":"})
		}
		for _, b := range g.Bars {
			y--
			ticks = append(ticks, plot.Tick{Value: y, Label: b.Side + "  "})
			most = max(most, b.Figure.Max)
			fill := s.other
			if b.Ours {
				fill = s.ours
			}
			if err := addBar(p, y, b, fill, s); err != nil {
				return err
			}
		}
	}
	p.Y.Min, p.Y.Max = -0.6, float64(rows)-0.4
	p.Y.Tick.Marker = ticks
	p.X.Max = most * 1.18 // room for the figures
	p.X.Tick.Marker = plot.TickerFunc(func(lo, hi float64) []plot.Tick {
		all := plot.DefaultTicks{}.Ticks(lo, hi)
		for i := range all {
			if all[i].Label != "" {
				all[i].Label = harness.Figure(all[i].Value)
			}
		}
		return all
	})
	canvas, inside := s.canvas(margin + vg.Length(rows)*rowUp)
	p.Draw(inside)
	_, err := canvas.WriteTo(w)
	return err
}

// plot returns an empty plot in these colours, with an axis below and none at the left.
func (s style) plot(title string) *plot.Plot {
	p := plot.New()
	for _, t := range []*text.Style{&p.Title.TextStyle, &p.X.Tick.Label, &p.Y.Tick.Label} {
		t.Font.Variant = sans
	}
	p.BackgroundColor = s.paper
	p.Title.Text = title
	p.Title.Padding = vg.Points(8)
	p.Title.TextStyle.Color = s.ink
	p.X.Color, p.X.LineStyle.Color = s.ink, s.faint
	p.X.Tick.Label.Color, p.X.Tick.LineStyle.Color = s.ink, s.faint
	p.Y.LineStyle.Width = 0
	p.Y.Tick.LineStyle.Width, p.Y.Tick.Length = 0, 0
	p.Y.Tick.Label.Color = s.ink
	return p
}

// canvas returns an empty picture, and the part of it to draw on: the reader's fonts may be wider than
// those that the layout is made with.
func (s style) canvas(height vg.Length) (*vgsvg.Canvas, draw.Canvas) {
	c := vgsvg.NewWith(vgsvg.UseWH(width, height))
	c.SetColor(s.paper)
	c.Fill(vg.Rectangle{Max: vg.Point{X: width, Y: height}}.Path())
	return c, draw.Crop(draw.New(c), border, -border, border/2, -border)
}

// addBar adds one bar at height y.
func addBar(p *plot.Plot, y float64, b Bar, fill color.Color, s style) error {
	area, err := plotter.NewPolygon(plotter.XYs{
		{X: 0, Y: y - 0.36}, {X: b.Figure.Median, Y: y - 0.36}, {X: b.Figure.Median, Y: y + 0.36}, {X: 0, Y: y + 0.36},
	})
	if err != nil {
		return err
	}
	area.Color, area.LineStyle.Width = fill, 0
	whisker, err := plotter.NewLine(plotter.XYs{{X: b.Figure.Min, Y: y}, {X: b.Figure.Max, Y: y}})
	if err != nil {
		return err
	}
	whisker.Color = s.ink
	label, err := plotter.NewLabels(plotter.XYLabels{
		XYs:    plotter.XYs{{X: max(b.Figure.Max, b.Figure.Median), Y: y}},
		Labels: []string{harness.Figure(b.Figure.Median)},
	})
	if err != nil {
		return err
	}
	label.Offset.X = vg.Points(4)
	label.TextStyle[0].Color = s.ink
	label.TextStyle[0].YAlign = text.YCenter
	label.TextStyle[0].Font = font.From(font.Font{Variant: sans}, vg.Points(9))
	p.Add(area, whisker, label)
	return nil
}
