package debug_test

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/lockkeeper/lockkeeper/backends/memory"
	"github.com/lockkeeper/lockkeeper/manager"
)

// Every answer may use its own style and script, and nothing else.
func TestAnswersAreSecured(t *testing.T) {
	m := newManager(t)
	hold(t, m.Lock("a"))
	for _, target := range []string{"/", "/?name=a", "/?name=none", "/?format=json"} {
		w := get(m, http.MethodGet, target, "*/*")
		policy := w.Header().Get("Content-Security-Policy")
		if !strings.HasPrefix(policy, "default-src 'none';") || strings.Contains(policy, "unsafe") {
			t.Errorf("%s: policy %q", target, policy)
		}
		for key, want := range map[string]string{
			"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY",
		} {
			if got := w.Header().Get(key); got != want {
				t.Errorf("%s: %s: %q", target, key, got)
			}
		}
		body := w.Body.String()
		for _, part := range regexp.MustCompile(`(?s)<(?:style|script)>(.*?)</`).FindAllStringSubmatch(body, -1) {
			sum := sha256.Sum256([]byte(part[1]))
			if !strings.Contains(policy, base64.StdEncoding.EncodeToString(sum[:])) {
				t.Errorf("%s: the policy does not allow %.40q", target, part[1])
			}
		}
		if found := regexp.MustCompile(`https?://|//[a-z]+\.|\son\w+=|\sstyle=`).FindString(body); found != "" {
			t.Errorf("%s: has %q", target, found)
		}
	}
}

// Without scripts the page loads itself again.
func TestThePageIsLiveWithoutScripts(t *testing.T) {
	body := get(newManager(t), http.MethodGet, "/", "text/html").Body.String()
	if !strings.Contains(body, `<noscript><meta http-equiv="refresh" content="5"></noscript>`) {
		t.Error(body)
	}
}

// The page of a name shows the holders and waiters of all processes, and what this one knows.
func TestThePageOfANameShowsAllProcesses(t *testing.T) {
	store := memory.New()
	here, there := newManagerOver(t, store, manager.WithLabel("here"), manager.WithSites()),
		newManagerOver(t, store, manager.WithLabel("the other <process>"))
	hold(t, there.Lock("a/b c"))
	wait(t, here, t.Context(), here.Lock("a/b c"))
	body := get(here, http.MethodGet, "/?name=a/b+c", "text/html").Body.String()
	for _, want := range []string{
		"the other &lt;process&gt;", "Nobody in this process holds it.", "debug/handler_test.go:", "a/b c – lockkeeper",
	} {
		if !strings.Contains(body, want) {
			t.Errorf("no %q in %s", want, body)
		}
	}
	list := get(here, http.MethodGet, "/", "text/html").Body.String()
	if !strings.Contains(list, "not this process") || !strings.Contains(list, `href="?name=a%2Fb&#43;c"`) {
		t.Error(list)
	}
	for target, want := range map[string]string{
		"/?name=none":                            "Nobody holds it.",
		"/?name=" + strings.Repeat("x", 2000):    "inspect",
		"/?name=%ff":                             `&#34;\xff&#34;`,
		"/?name=":                                "inspect",
		"/?name=" + strings.Repeat("%3Cb%3E", 3): "&lt;b&gt;&lt;b&gt;",
	} {
		w := get(here, http.MethodGet, target, "text/html")
		if body := w.Body.String(); w.Code != http.StatusOK || !strings.Contains(body, want) || strings.Contains(body, "Break…") {
			t.Errorf("%.40s: %d, no %q in %s", target, w.Code, want, body)
		}
	}
}
