/* SPDX-License-Identifier: Apache-2.0
 * A task as a program's run, in the way of FEDn's entry points. */
#ifndef CLI_TASK_PROGRAM_H
#define CLI_TASK_PROGRAM_H

#include <fedn/task.h>

/* fedn_task_fn; `user_data` is the runner_command. */
fedn_status task_program_train(fedn_task *task, fedn_error *err, void *user_data);
/* Of a validation or a prediction: its answer is JSON. */
fedn_status task_program_answer(fedn_task *task, fedn_error *err, void *user_data);

#endif
