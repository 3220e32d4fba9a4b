package debug_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/manager/debug"
)

// ruler shows a page in a frame, and writes how wide its first column is and how high its rows are.
const ruler = `<!DOCTYPE html><title>-</title><iframe src="/page" style="width:%dpx;height:800px;border:0"></iframe>
<script>onload=()=>{let d=frames[0].document,w=0,h=0
for(let c of d.querySelectorAll("td:first-child")){w=c.offsetWidth;h=Math.max(h,c.offsetHeight)}
document.title="column "+w+" row "+h}</script>`

var measured = regexp.MustCompile(`column (\d+) row (\d+)`)

// A name of usual length stands on one or two lines, whatever the width of the window.
func TestTheColumnOfNamesIsReadable(t *testing.T) {
	browser, err := exec.LookPath("chromium")
	if err != nil {
		t.Log("chromium is not installed: not measured")
		return
	}
	m := newManager(t)
	for _, name := range []string{"nightly-backup", "account/4711/monthly-statement"} {
		hold(t, m.Lock(name))
	}
	mux := http.NewServeMux()
	mux.Handle("/page", debug.Handler(m))
	mux.HandleFunc("/{width}", func(w http.ResponseWriter, r *http.Request) {
		width, _ := strconv.Atoi(r.PathValue("width"))
		fmt.Fprintf(w, ruler, width)
	})
	srv := httptest.NewServer(mux)
	defer srv.Close()
	for _, width := range []int{600, 1200, 2400} {
		cmd := exec.CommandContext(t.Context(), browser, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
			"--user-data-dir="+t.TempDir(), "--dump-dom", fmt.Sprintf("%s/%d", srv.URL, width))
		cmd.WaitDelay = 10 * time.Second
		dom, err := cmd.Output()
		got := measured.FindStringSubmatch(string(dom))
		if err != nil || got == nil {
			t.Fatalf("%v: %s", err, dom)
		}
		column, _ := strconv.Atoi(got[1])
		row, _ := strconv.Atoi(got[2])
		if column < 200 || row > 60 {
			t.Errorf("window of %d: names have %d pixels, a row %d; %s", width, column, row, strings.TrimSpace(got[0]))
		}
	}
}
