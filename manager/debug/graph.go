package debug

import (
	"fmt"

	"github.com/lockkeeper/lockkeeper/manager"
)

// A graph shows who waits for whom: its nodes are names, and an edge goes from a name whose holder
// waits to the name that it waits for. It tells of the waiters that Stats lists.
type graph struct {
	Width, Height, NodeWidth, NodeHeight int

	Nodes []node
	Edges []string // paths
	Left  string   // what is not drawn
}

type node struct {
	X, Y       int
	Name, Href string
	Here       bool // the page is of this name
}

const (
	maxNodes   = 40
	nodeWidth  = 180
	nodeHeight = 32
	columnGap  = 80
	rowGap     = 16
	graphEdge  = 16
)

// edges are pairs of numbers of names.
type edges struct {
	names  []string
	number map[string]int
	out    [][]int
}

// drawGraph returns nil if no holder waits. With a name it draws what is connected to it.
func drawGraph(s *manager.Stats, here *string) *graph {
	e := collect(s)
	level := e.levels()
	shown := e.connected(here)
	g := &graph{NodeWidth: nodeWidth, NodeHeight: nodeHeight}
	at := make(map[int]*node) // by number
	column := map[int]int{}   // nodes in each
	n := 0
	for i, name := range e.names {
		if !shown[i] {
			continue
		}
		if n++; n > maxNodes {
			continue
		}
		x, y := level[i], column[level[i]]
		column[level[i]]++
		at[i] = &node{
			X: graphEdge + x*(nodeWidth+columnGap), Y: graphEdge + y*(nodeHeight+rowGap),
			Name: clipped(name, 40), Href: hrefOf(name), Here: here != nil && *here == name,
		}
		g.Width = max(g.Width, at[i].X+nodeWidth+graphEdge)
		g.Height = max(g.Height, at[i].Y+nodeHeight+graphEdge)
	}
	if n == 0 {
		return nil
	}
	if n > maxNodes {
		g.Left = plural(n-maxNodes, "name is", "names are") + " not drawn."
	}
	for i := range e.names {
		if at[i] == nil {
			continue
		}
		g.Nodes = append(g.Nodes, *at[i])
		for _, j := range e.out[i] {
			if at[j] != nil {
				g.Edges = append(g.Edges, arrow(at[i], at[j]))
			}
		}
	}
	return g
}

// arrow is a curve from one node to another, or around a node if its holder waits for more of it.
func arrow(a, b *node) string {
	x1, y1, x2, y2 := a.X+nodeWidth, a.Y+nodeHeight/2, b.X, b.Y+nodeHeight/2
	switch bend := columnGap / 2; {
	case a == b:
		return fmt.Sprintf("M%d %dC%d %d %d %d %d %d",
			x1, y1, x1+bend, y1+bend, x1-bend, y1+bend+8, x1-bend, a.Y+nodeHeight)
	default:
		return fmt.Sprintf("M%d %dC%d %d %d %d %d %d", x1, y1, x1+bend, y1, x2-bend, y2, x2, y2)
	}
}

// collect finds the edges, in the order of names and queues.
func collect(s *manager.Stats) *edges {
	e := &edges{number: map[string]int{}}
	seen := map[[2]int]bool{}
	for i := range s.Resources {
		r := &s.Resources[i]
		for _, w := range r.Waiters {
			for _, held := range w.Holds {
				from, to := e.at(held), e.at(r.Name)
				if !seen[[2]int{from, to}] {
					seen[[2]int{from, to}] = true
					e.out[from] = append(e.out[from], to)
				}
			}
		}
	}
	return e
}

func (e *edges) at(name string) int {
	i, ok := e.number[name]
	if !ok {
		i = len(e.names)
		e.number[name] = i
		e.names, e.out = append(e.names, name), append(e.out, nil)
	}
	return i
}

// levels puts each name to the right of those that wait for it. Edges that close a cycle, as over
// readers and permits, do not count.
func (e *edges) levels() []int {
	const (
		unseen = iota
		open
		done
	)
	state, level := make([]int, len(e.names)), make([]int, len(e.names))
	var order []int // names after all that they wait for
	back := map[[2]int]bool{}
	var visit func(i int)
	visit = func(i int) {
		state[i] = open
		for _, j := range e.out[i] {
			switch state[j] {
			case unseen:
				visit(j)
			case open:
				back[[2]int{i, j}] = true
			}
		}
		state[i] = done
		order = append(order, i)
	}
	for i := range e.names {
		if state[i] == unseen {
			visit(i)
		}
	}
	for k := len(order) - 1; k >= 0; k-- {
		i := order[k]
		for _, j := range e.out[i] {
			if !back[[2]int{i, j}] {
				level[j] = max(level[j], level[i]+1)
			}
		}
	}
	return level
}

// connected tells which names the graph shows: all, or those that edges connect with here.
func (e *edges) connected(here *string) []bool {
	shown := make([]bool, len(e.names))
	if here == nil {
		for i := range shown {
			shown[i] = true
		}
		return shown
	}
	near := make([][]int, len(e.names)) // along edges, in either direction
	for i, out := range e.out {
		for _, j := range out {
			near[i], near[j] = append(near[i], j), append(near[j], i)
		}
	}
	var reached []int
	reach := func(i int) {
		if !shown[i] {
			shown[i] = true
			reached = append(reached, i)
		}
	}
	if i, ok := e.number[*here]; ok {
		reach(i)
	}
	for k := 0; k < len(reached); k++ { //nolint:intrange // reach appends
		for _, j := range near[reached[k]] {
			reach(j)
		}
	}
	return shown
}
