# SPDX-License-Identifier: Apache-2.0
"""As functions_aggregating, but it tells when it is there, by a pipe, and goes on when it is told to."""
from fedn.network.combiner.hooks.serverfunctionsbase import ServerFunctionsBase


class ServerFunctions(ServerFunctionsBase):
    def aggregate(self, previous_global, client_updates):
        updates = [tuple(update) for update in client_updates.values()]
        with open("gate", "w"):
            pass
        with open("go") as go:
            go.read()
        best, _ = max(updates, key=lambda update: update[1]["num_examples"])
        return [p + 2 * (m - p) for p, m in zip(previous_global, best)]
