package throwaway

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/rest"
)

// api is a small API server that real clients speak to over HTTP: objects by path, labels,
// watch from a version, dry run, optimistic deletion. A test changes objects as the cluster's
// controllers would, and breaks watches as networks do.
type api struct {
	*httptest.Server
	mutex    sync.Mutex
	changed  *sync.Cond
	version  int
	objects  map[string]map[string]any // by path
	history  []change
	requests []string
	// refuse answers a request (method "WATCH" for a watch) with a status, if it returns one.
	refuse func(method, path string) (code int, message string)
	// cut ends every open watch when it grows; gone makes the next watches answer 410.
	cut, gone int
}

type change struct {
	version int
	kind    string // ADDED, MODIFIED, DELETED
	path    string
	object  map[string]any
}

func newAPI(t *testing.T) (*api, Client) {
	a := &api{objects: map[string]map[string]any{}, version: 10}
	a.changed = sync.NewCond(&a.mutex)
	a.Server = httptest.NewServer(http.HandlerFunc(a.serve))
	t.Cleanup(func() {
		a.breakWatches(0)
		a.Close()
	})
	client, err := NewClient(&rest.Config{Host: a.URL, ContentConfig: rest.ContentConfig{ContentType: "application/json", AcceptContentTypes: "application/json"}})
	if err != nil {
		t.Fatal(err)
	}
	return a, client
}

// breakWatches ends all watches; the next n attempts get "410 Gone".
func (a *api) breakWatches(n int) {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	a.cut, a.gone = a.cut+1, n
	a.changed.Broadcast()
}

// change alters an object as a controller does; the function works on its JSON form.
func (a *api) change(path string, edit func(map[string]any)) {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	object := deepCopy(a.objects[path])
	edit(object)
	a.store("MODIFIED", path, object)
}

func (a *api) delete(path string) {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	a.remove(path)
}

// names returns the paths of all objects of a resource.
func (a *api) names(resource string) []string {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	var found []string
	for path := range a.objects {
		if strings.Contains(path, "/"+resource+"/") {
			found = append(found, path)
		}
	}
	return found
}

func (a *api) remove(path string) {
	if object, present := a.objects[path]; present {
		a.store("DELETED", path, deepCopy(object))
		delete(a.objects, path)
	}
}

func (a *api) store(kind, path string, object map[string]any) {
	a.version++
	metaOf(object)["resourceVersion"] = fmt.Sprint(a.version)
	a.objects[path] = object
	a.history = append(a.history, change{a.version, kind, path, object})
	a.changed.Broadcast()
}

func metaOf(object map[string]any) map[string]any {
	m, _ := object["metadata"].(map[string]any)
	if m == nil {
		m = map[string]any{}
		object["metadata"] = m
	}
	return m
}

func deepCopy(object map[string]any) map[string]any {
	text, _ := json.Marshal(object)
	var copied map[string]any
	_ = json.Unmarshal(text, &copied)
	return copied
}

func (a *api) serve(w http.ResponseWriter, r *http.Request) {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	query := r.URL.Query()
	a.requests = append(a.requests, r.Method+" "+r.URL.Path+map[bool]string{true: " watch"}[query.Get("watch") != ""])
	if a.refuse != nil {
		method := r.Method
		if query.Get("watch") != "" {
			method = "WATCH"
		}
		if code, message := a.refuse(method, r.URL.Path); code != 0 {
			answerStatus(w, code, message)
			return
		}
	}
	asMeta := strings.Contains(r.Header.Get("Accept"), "as=PartialObjectMetadata")
	matches := func(path string, object map[string]any) bool {
		selector, _ := labels.Parse(query.Get("labelSelector"))
		has := labels.Set{}
		if set, _ := metaOf(object)["labels"].(map[string]any); set != nil {
			for key, value := range set {
				has[key] = fmt.Sprint(value)
			}
		}
		_, name, named := strings.Cut(query.Get("fieldSelector"), "metadata.name=")
		return strings.HasPrefix(path, r.URL.Path+"/") && selector.Matches(has) && (!named || metaOf(object)["name"] == name)
	}
	switch {
	case r.Method == http.MethodGet && query.Get("watch") != "":
		a.watch(w, r, asMeta, matches)
	case r.Method == http.MethodGet && a.objects[r.URL.Path] != nil:
		answer(w, http.StatusOK, form(a.objects[r.URL.Path], asMeta))
	case r.Method == http.MethodGet && isCollection(r.URL.Path):
		var items []any
		for _, path := range slices.Sorted(maps.Keys(a.objects)) {
			if matches(path, a.objects[path]) {
				items = append(items, form(a.objects[path], asMeta))
			}
		}
		list := map[string]any{"items": items, "metadata": map[string]any{"resourceVersion": fmt.Sprint(a.version)}}
		if asMeta {
			list["kind"], list["apiVersion"] = "PartialObjectMetadataList", "meta.k8s.io/v1"
		}
		answer(w, http.StatusOK, list)
	case r.Method == http.MethodPost:
		var object map[string]any
		_ = json.NewDecoder(r.Body).Decode(&object)
		if query.Get("dryRun") == "" {
			metaOf(object)["uid"] = fmt.Sprintf("uid-%d", a.version)
			a.store("ADDED", fmt.Sprintf("%s/%s", r.URL.Path, metaOf(object)["name"]), object)
		}
		answer(w, http.StatusCreated, object)
	case r.Method == http.MethodDelete && a.objects[r.URL.Path] != nil:
		object := a.objects[r.URL.Path]
		if _, held := metaOf(object)["finalizers"]; !held {
			a.remove(r.URL.Path)
		}
		answer(w, http.StatusOK, form(object, asMeta))
	case r.Method == http.MethodPatch && a.objects[r.URL.Path] != nil:
		object := deepCopy(a.objects[r.URL.Path])
		var patch map[string]any
		_ = json.NewDecoder(r.Body).Decode(&patch)
		merge(object, patch)
		a.store("MODIFIED", r.URL.Path, object)
		answer(w, http.StatusOK, object)
	default:
		answerStatus(w, http.StatusNotFound, fmt.Sprintf("%s not found", r.URL.Path))
	}
}

// watch streams the changes after the asked version; the caller holds the mutex.
func (a *api) watch(w http.ResponseWriter, r *http.Request, asMeta bool, matches func(string, map[string]any) bool) {
	if a.gone > 0 {
		a.gone--
		answerStatus(w, http.StatusGone, "too old resource version")
		return
	}
	var from int
	_, _ = fmt.Sscan(r.URL.Query().Get("resourceVersion"), &from)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusOK)
	w.(http.Flusher).Flush()
	stop := make(chan struct{})
	defer close(stop)
	go func() { // wakes the loop below when the client leaves
		select {
		case <-r.Context().Done():
			a.mutex.Lock()
			defer a.mutex.Unlock()
			a.changed.Broadcast()
		case <-stop:
		}
	}()
	for cut, next := a.cut, 0; a.cut == cut && r.Context().Err() == nil; {
		for ; next < len(a.history); next++ {
			if c := a.history[next]; c.version > from && matches(c.path, c.object) {
				_ = json.NewEncoder(w).Encode(map[string]any{"type": c.kind, "object": form(c.object, asMeta)})
				w.(http.Flusher).Flush()
			}
		}
		a.changed.Wait()
	}
}

func isCollection(path string) bool {
	last := path[strings.LastIndex(path, "/")+1:]
	return strings.HasSuffix(last, "s")
}

// form returns an object as the client wants it: whole, or its metadata alone.
func form(object map[string]any, asMeta bool) map[string]any {
	if !asMeta {
		return object
	}
	return map[string]any{"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": object["metadata"]}
}

func merge(into, patch map[string]any) {
	for key, value := range patch {
		if deeper, isMap := value.(map[string]any); isMap {
			if below, _ := into[key].(map[string]any); below != nil {
				merge(below, deeper)
				continue
			}
		}
		into[key] = value
	}
}

func answer(w http.ResponseWriter, code int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(body)
}

func answerStatus(w http.ResponseWriter, code int, message string) {
	reasons := map[int]string{403: "Forbidden", 404: "NotFound", 410: "Expired", 401: "Unauthorized"}
	answer(w, code, map[string]any{"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": message, "reason": reasons[code], "code": code})
}
