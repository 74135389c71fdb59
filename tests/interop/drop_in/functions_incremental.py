# SPDX-License-Identifier: Apache-2.0
"""Server functions that take one update after the other: twice the step of the client with the most examples."""
from fedn.network.combiner.hooks.serverfunctionsbase import ServerFunctionsBase


class ServerFunctions(ServerFunctionsBase):
    def __init__(self):
        self.best = None
        self.rounds = 0

    def client_settings(self, global_model):
        return {"rounds": self.rounds}

    def incremental_aggregate(self, client_id, model, client_metadata, previous_global):
        if self.best is None or client_metadata["num_examples"] > self.best[0]:
            self.best = client_metadata["num_examples"], [p + 2 * (m - p) for p, m in zip(previous_global, model)]

    def get_incremental_aggregate_model(self):
        (_, model), self.best = self.best, None
        self.rounds += 1
        return model
