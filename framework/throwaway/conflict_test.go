package throwaway

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
)

const conflictStatus = `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Conflict","code":409,
	"message":"Operation cannot be fulfilled on resourcequotas \"hub\": the object has been modified; please apply your changes to the latest version and try again"}`

// refusing returns a client of a server that refuses the first requests with a status, and then
// creates what it is sent.
func refusing(t *testing.T, times int, status string) (client Client, asked func() int) {
	t.Helper()
	count := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		count++
		w.Header().Set("Content-Type", "application/json")
		body, _ := io.ReadAll(r.Body)
		if count <= times {
			w.WriteHeader(http.StatusConflict)
			_, _ = io.WriteString(w, status)
			return
		}
		w.WriteHeader(http.StatusCreated)
		_, _ = w.Write(body)
	}))
	t.Cleanup(server.Close)
	client, err := NewClient(&rest.Config{Host: server.URL, ContentConfig: rest.ContentConfig{ContentType: "application/json"}})
	if err != nil {
		t.Fatal(err)
	}
	return client, func() int { return count }
}

func create(ctx context.Context, client Client) (*corev1.ConfigMap, error) {
	return client.Kube.CoreV1().ConfigMaps("x").Create(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "sent"}}, metav1.CreateOptions{})
}

func TestALostRaceForAQuotaIsRunAgain(t *testing.T) {
	t.Parallel()
	client, asked := refusing(t, 2, conflictStatus)
	made, err := create(t.Context(), client)
	if err != nil || made.Name != "sent" || asked() != 3 {
		t.Errorf("%v after %d requests: %v", made, asked(), err)
	}
}

func TestWhatExistsIsNotCreatedAgain(t *testing.T) {
	t.Parallel()
	client, asked := refusing(t, 1, strings.NewReplacer("Conflict", "AlreadyExists", quotaConflict, "it exists").Replace(conflictStatus))
	if _, err := create(t.Context(), client); err == nil || !strings.Contains(err.Error(), "it exists") || asked() != 1 {
		t.Errorf("%d requests: %v", asked(), err)
	}
}

func TestARaceIsNotRunForever(t *testing.T) {
	t.Parallel()
	client, asked := refusing(t, 1000, conflictStatus)
	ctx, stop := context.WithTimeout(t.Context(), 400*time.Millisecond)
	defer stop()
	began := time.Now()
	if _, err := create(ctx, client); err == nil || !strings.Contains(err.Error(), "modified") || asked() < 2 || time.Since(began) > 3*time.Second {
		t.Errorf("%d requests in %v: %v", asked(), time.Since(began), err)
	}
}

func TestAnUpdateIsItsOwnersToRepeat(t *testing.T) {
	t.Parallel()
	client, asked := refusing(t, 1, conflictStatus)
	_, err := client.Kube.CoreV1().ConfigMaps("x").Update(t.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "sent"}}, metav1.UpdateOptions{})
	if err == nil || asked() != 1 {
		t.Errorf("%d requests: %v", asked(), err)
	}
}
