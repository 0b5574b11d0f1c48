//! The simulator of CoreCARD, running in the test.

use std::collections::BTreeMap;

use cardcancel::simulator::{self, Order, OrderState, Simulator, SimulatorSettings, Stats};
use tokio::runtime::Runtime;

/// The simulator of CoreCARD, running in the test.
pub struct TestSimulator {
    runtime: Runtime,
    simulator: Simulator,
}

impl TestSimulator {
    /// One that is perfect and instantaneous.
    pub fn perfect() -> TestSimulator {
        TestSimulator::new(SimulatorSettings::default())
    }

    pub fn new(settings: SimulatorSettings) -> TestSimulator {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let simulator = runtime.block_on(simulator::start(settings)).unwrap();
        TestSimulator { runtime, simulator }
    }

    pub fn url(&self) -> String {
        self.simulator.url()
    }

    /// How many requests it has had.
    pub fn requests(&self) -> u64 {
        self.simulator.stats().requests
    }

    /// The state of every order that a request named.
    pub fn orders(&self) -> BTreeMap<Order, OrderState> {
        self.simulator.orders()
    }

    /// The number of requests for each order, by its admin number.
    pub fn requests_by_order(&self) -> BTreeMap<i64, u32> {
        self.orders()
            .into_iter()
            .map(|(order, state)| (order.admin_number, state.requests))
            .collect()
    }

    pub fn stop(self) -> Stats {
        self.runtime.block_on(self.simulator.stop())
    }
}
