package debug

import (
	"fmt"
	"strings"
	"testing"

	"github.com/lockkeeper/lockkeeper/manager"
)

// waitsFor makes statistics of edges: "a b" is a holder of a that waits for b.
func waitsFor(edges ...string) *manager.Stats {
	s := &manager.Stats{}
	for _, e := range edges {
		held, name, _ := strings.Cut(e, " ")
		r := live(name)
		r.Waiters = []manager.WaiterStats{{Holds: []string{held}}, {}}
		s.Resources = append(s.Resources, r)
	}
	return s
}

func TestAnArrowLeadsFromWhatIsHeldToWhatIsWaitedFor(t *testing.T) {
	g := drawGraph(waitsFor("a b", "b c", "a c", "x y"), nil)
	x := map[string]int{}
	for _, n := range g.Nodes {
		x[n.Name] = n.X
	}
	if len(x) != 5 || x["a"] >= x["b"] || x["b"] >= x["c"] || x["x"] >= x["y"] || len(g.Edges) != 4 {
		t.Errorf("%+v", g)
	}
	here := "c"
	if g := drawGraph(waitsFor("a b", "b c", "x y"), &here); len(g.Nodes) != 3 || !g.Nodes[2].Here || g.Nodes[0].Here {
		t.Errorf("of c: %+v", g.Nodes)
	}
	if here = "else"; drawGraph(waitsFor("a b"), &here) != nil || drawGraph(waitsFor(), nil) != nil {
		t.Error("a graph of nothing")
	}
}

// Owners of permits or readers may wait in a circle without a deadlock.
func TestACircleIsDrawn(t *testing.T) {
	for _, s := range []*manager.Stats{waitsFor("a b", "b a"), waitsFor("a a", "a b"), waitsFor("a b", "b c", "c a", "c b")} {
		g := drawGraph(s, nil)
		places := map[[2]int]bool{}
		for _, n := range g.Nodes {
			places[[2]int{n.X, n.Y}] = true
		}
		if len(places) != len(g.Nodes) || len(g.Edges) != len(s.Resources) {
			t.Errorf("%+v", g)
		}
	}
}

func TestALargeGraphIsCut(t *testing.T) {
	var edges []string
	for i := range 5000 {
		edges = append(edges, fmt.Sprintf("%d %d", i, i+1))
	}
	if g := drawGraph(waitsFor(edges...), nil); len(g.Nodes) != maxNodes || !strings.Contains(g.Left, "are not drawn") {
		t.Errorf("%d nodes, %q", len(g.Nodes), g.Left)
	}
}
