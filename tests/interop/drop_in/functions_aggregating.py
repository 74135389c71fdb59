# SPDX-License-Identifier: Apache-2.0
"""Server functions that aggregate: twice the step of the client with the most examples."""
from fedn.network.combiner.hooks.serverfunctionsbase import ServerFunctionsBase


class ServerFunctions(ServerFunctionsBase):
    def client_settings(self, global_model):
        return {"first": float(global_model[0].flat[0]), "name": "r\u00e4tt", "layers": [1, 2]}

    def aggregate(self, previous_global, client_updates):
        best, metadata = max(client_updates.values(), key=lambda update: update[1]["num_examples"])
        assert metadata["loss"] == 0.0 and all(len(update) == 2 for update in client_updates.values())
        return [p + 2 * (m - p) for p, m in zip(previous_global, best)]
