package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// benchNetwork times sections 2 to 4 and counts the pods of section 2.
func benchNetwork(ctx context.Context, b *bench) error {
	admin, err := b.admin()
	if err != nil {
		return err
	}
	run := func() (time.Duration, error) {
		ran, err := b.run(ctx, "--focus=2,3,4")
		return ran.wall, errors.Join(err, ran.unmet())
	}
	objects, err := record(ctx, admin, func() error { _, err := run(); return err })
	if err != nil {
		return err
	}
	pods := 0
	for _, pod := range objects.pods {
		if strings.HasPrefix(pod.Labels[itemLabel], "2.") {
			pods++
		}
	}
	var took []float64
	for range b.turns {
		wall, err := run()
		if err != nil {
			return err
		}
		took = append(took, wall.Seconds())
	}
	wall := median(took)
	row("sections 2 to 4 (median)", fmt.Sprintf("%.1f s", wall), fmt.Sprintf("%.0f s", maxNetworkTime.Seconds()), wall <= maxNetworkTime.Seconds())
	row("pods of section 2", fmt.Sprint(pods), fmt.Sprint(maxNetworkPods), pods > 0 && pods <= maxNetworkPods)
	return nil
}
