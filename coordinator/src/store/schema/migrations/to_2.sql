-- Schema 2 knows trials by number. The new tables are there already; the old ones end in `_1`.
-- A trial that was given up before its first grant has no row in `trials_1`: it is open again.

INSERT INTO meta SELECT * FROM meta_1;
INSERT INTO workers SELECT * FROM workers_1;

INSERT INTO trials (trial_id, phase, seed, hyperparameters)
SELECT trial_id, phase, seed, hyperparameters FROM trials_1 ORDER BY trial_id;

INSERT INTO attempts
SELECT trial, attempt, term, nonce, worker_id, is_alone, is_local, closed, detail, is_forgiven
FROM attempts_1 JOIN trials USING (trial_id);

INSERT INTO outcomes
SELECT trial, outcome, cause, attempt, digest, best_epoch, test_accuracy, collapsed, diverged_step,
    last_finite_loss, n_steps, grad_samples, probe_samples, macs_textbook, macs_executed,
    backtracks_mean, backtracks_p95, backtracks_max, steps_without_step
FROM outcomes_1 JOIN trials USING (trial_id);

INSERT INTO epochs
SELECT trial, epoch, train_loss, train_accuracy, valid_loss, valid_accuracy, learning_rate,
    step_min, step_median, step_max, n_backtracks, gradient_norm, grad_samples, probe_samples
FROM epochs_1 JOIN trials USING (trial_id);

INSERT INTO timings
SELECT trial, epoch, wall_s, cpu_s, worker, isa, attempt, n_slots_in_use
FROM timings_1 JOIN trials USING (trial_id);

INSERT INTO conflicts
SELECT trial, attempt, digest FROM conflicts_1 JOIN trials USING (trial_id);
